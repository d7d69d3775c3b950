"""Coded variants that the server makes by itself: when, of what, and what becomes of them."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest
from static_client import Answer, Start, ask, eventually
from variants_client import BROWSER, Chooser, SlowCoder, coders, idle, write

from tpserver.files import background, variants
from tpserver.files.background import BackgroundCoder
from tpserver.files.coders import Coder, quick_coders

TEXT = b"a line of text that comes again and again\n" * 1200  # 50 KB
SIDECAR = gzip.compress(TEXT, mtime=0)
BEST = next(iter(quick_coders()))


@pytest.fixture
def coder() -> BackgroundCoder:
    return BackgroundCoder(quick_coders())


@pytest.fixture
def chooser(tmp_path: Path, coder: BackgroundCoder) -> Chooser:
    return Chooser(tmp_path, coder)


def when_coded(running: object, target: str, *lines: str) -> Answer:
    """Asks until the answer comes coded."""
    answers: list[Answer] = []

    def is_coded() -> bool:
        answers.append(ask(running, target, "Accept-Encoding: gzip", *lines))
        return "content-encoding" in answers[-1].fields

    eventually(is_coded, f"{target} was never compressed")
    return answers[-1]


# -- as a client sees it


def test_the_first_client_gets_the_file_and_later_ones_the_compressed_one(start: Start, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", TEXT)
    running = start(root=tmp_path)
    first = ask(running, "/a.txt", "Accept-Encoding: gzip")
    assert first.content == TEXT
    assert first.fields["vary"] == "Accept-Encoding"
    assert "content-encoding" not in first.fields
    later = when_coded(running, "/a.txt")
    assert gzip.decompress(later.content) == TEXT
    assert later.fields["content-type"] == "text/plain; charset=utf-8"
    assert later.fields["content-length"] == str(len(later.content))
    assert later.fields["vary"] == "Accept-Encoding"
    assert later.fields["etag"] != first.fields["etag"]
    assert ask(running, "/a.txt").content == TEXT
    assert ask(running, "/a.txt", "Accept-Encoding: gzip;q=0").content == TEXT


def test_preconditions_and_ranges_are_about_the_variant(start: Start, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", TEXT)
    running = start(root=tmp_path)
    whole = when_coded(running, "/a.txt")
    tag = whole.fields["etag"]
    accept = "Accept-Encoding: gzip"
    same = ask(running, "/a.txt", accept, f"If-None-Match: {tag}")
    assert (same.status, same.fields["etag"], same.fields["vary"]) == (304, tag, "Accept-Encoding")
    rest = ask(running, "/a.txt", accept, "Range: bytes=10-", f"If-Range: {tag}")
    assert (rest.status, rest.content) == (206, whole.content[10:])
    assert rest.fields["content-range"] == f"bytes 10-{len(whole.content) - 1}/{len(whole.content)}"
    # Whoever began with the variant never gets the rest of something else.
    assert ask(running, "/a.txt", "Range: bytes=10-", f"If-Range: {tag}").content == TEXT
    head = ask(running, "/a.txt", accept, method="HEAD")
    assert (head.fields["content-length"], head.content) == (str(len(whole.content)), b"")


def test_an_edit_is_compressed_anew(start: Start, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", TEXT)
    running = start(root=tmp_path)
    before = when_coded(running, "/a.txt")
    write(tmp_path / "a.txt", TEXT.upper())
    assert ask(running, "/a.txt", "Accept-Encoding: gzip").content != before.content
    assert gzip.decompress(when_coded(running, "/a.txt").content) == TEXT.upper()


def test_two_servers_make_the_same_bytes_and_tags(start: Start, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", TEXT)
    one, other = (when_coded(start(root=tmp_path), "/a.txt") for _ in range(2))
    assert one.content == other.content
    assert one.fields["etag"] == other.fields["etag"]


def test_a_file_beyond_what_is_kept_in_memory_is_compressed_too(start: Start, tmp_path: Path) -> None:
    content = os.urandom(100_000).hex().encode()
    write(tmp_path / "a.json", content)
    answer = when_coded(start(root=tmp_path), "/a.json")
    assert gzip.decompress(answer.content) == content
    assert len(answer.content) > 64 * 1024


def test_the_server_makes_nothing_where_only_sidecars_are_wanted(start: Start, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", TEXT)
    running = start(root=tmp_path, compress="sidecars")
    for _ in range(3):
        answer = ask(running, "/a.txt", "Accept-Encoding: gzip")
        assert (answer.content, "vary" in answer.fields) == (TEXT, False)
    assert running.server._coder is None


def test_a_stopped_server_compresses_nothing_more(start: Start, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", TEXT)
    running = start(root=tmp_path)
    coder = running.server._coder
    chooser = Chooser(tmp_path, coder)
    running.stop()
    assert chooser.coding("/a.txt") == ""
    assert coder._thread is None
    assert chooser.coding("/a.txt") == ""


# -- what is compressed


@pytest.mark.parametrize("name", ["a.html", "a.css", "a.js", "a.mjs", "a.json", "a.svg", "a.xml", "a.wasm", "a.csv"])
def test_texts_and_the_like_are_compressed(tmp_path: Path, chooser: Chooser, coder: BackgroundCoder, name: str) -> None:
    write(tmp_path / name, TEXT)
    assert chooser.ask(f"/{name}").varies
    idle(coder)
    assert chooser.coding(f"/{name}") == BEST


@pytest.mark.parametrize("name", ["a.png", "a.woff2", "a.zip", "a.mp4", "a.bin", "a"])
def test_other_files_are_not(tmp_path: Path, chooser: Chooser, coder: BackgroundCoder, name: str) -> None:
    write(tmp_path / name, TEXT)
    for _ in range(2):
        file = chooser.ask(f"/{name}")
        assert (file.coding, file.varies) == ("", False)
        idle(coder)


@pytest.mark.parametrize(("size", "made"), [(1023, False), (1024, True), (5000, True), (5001, False)])
def test_files_of_some_sizes_are_compressed(
    tmp_path: Path,
    chooser: Chooser,
    coder: BackgroundCoder,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    made: bool,
) -> None:
    monkeypatch.setattr(variants, "LARGEST", 5000)
    write(tmp_path / "a.txt", b"x" * size)
    assert chooser.ask("/a.txt").varies is made
    idle(coder)
    assert chooser.coding("/a.txt") == (BEST if made else "")


def test_what_does_not_get_smaller_is_tried_once(tmp_path: Path) -> None:
    tried: list[int] = []

    def counted() -> Coder:
        tried.append(1)
        return quick_coders()["gzip"]()

    coder = coders(gzip=counted)
    chooser = Chooser(tmp_path, coder)
    write(tmp_path / "a.txt", os.urandom(5000))
    for _ in range(3):
        assert chooser.coding("/a.txt") == ""
        idle(coder)
        chooser.next_second()
    assert len(tried) == 1


@pytest.mark.parametrize("accept_encoding", [None, "", "gzip;q=0", "br", "identity, gzip;q=0.5", "deflate"])
def test_nothing_is_compressed_that_nobody_wants(tmp_path: Path, accept_encoding: str | None) -> None:
    slow = SlowCoder()
    chooser = Chooser(tmp_path, coders(gzip=slow))
    write(tmp_path / "a.txt", TEXT)
    assert chooser.coding("/a.txt", accept_encoding) == ""
    assert slow.made == 0


def test_nothing_is_compressed_that_lies_there_already(tmp_path: Path) -> None:
    slow = SlowCoder()
    chooser = Chooser(tmp_path, coders(gzip=slow))
    plain = write(tmp_path / "a.txt", TEXT)
    write(tmp_path / "a.txt.gz", SIDECAR, like=plain)
    assert chooser.ask("/a.txt", "gzip").content == SIDECAR
    assert chooser.ask("/a.txt", "gzip, br").content == SIDECAR
    assert slow.made == 0


def test_of_what_the_server_can_make_the_best_that_the_client_takes_is_made(tmp_path: Path) -> None:
    zstd, gzip_ = SlowCoder(), SlowCoder()
    zstd.go_on.set()
    gzip_.go_on.set()
    coder = coders(zstd=zstd, gzip=gzip_)
    chooser = Chooser(tmp_path, coder)
    write(tmp_path / "a.txt", TEXT)
    chooser.ask("/a.txt", BROWSER)
    idle(coder)
    assert chooser.coding("/a.txt", BROWSER) == "zstd"
    assert (zstd.made, gzip_.made) == (1, 0)
    chooser.ask("/a.txt", "gzip")
    idle(coder)
    assert chooser.coding("/a.txt", "gzip") == "gzip"


def test_where_the_best_gets_it_no_smaller_the_next_one_is_tried(tmp_path: Path) -> None:
    class Larger:
        def compress(self, data: bytes, /) -> bytes:
            return data + b"!"

        def flush(self) -> bytes:
            return b""

    coder = coders(zstd=Larger, gzip=quick_coders()["gzip"])
    chooser = Chooser(tmp_path, coder)
    write(tmp_path / "a.txt", TEXT)
    for _ in range(2):
        chooser.ask("/a.txt")
        idle(coder)
    assert chooser.coding("/a.txt") == "gzip"


def test_other_bytes_of_the_same_file_have_another_tag(tmp_path: Path, chooser: Chooser) -> None:
    write(tmp_path / "a.txt", TEXT)
    plain = chooser.plain("/a.txt")
    tags = {background.coded_file(plain, "gzip", content).validators.etag for content in (b"one", b"two")}
    assert len(tags | {plain.validators.etag}) == 3


def test_while_a_better_one_is_made_the_one_there_is_is_sent(tmp_path: Path) -> None:
    slow = SlowCoder()
    coder = coders(zstd=slow)
    chooser = Chooser(tmp_path, coder)
    plain = write(tmp_path / "a.txt", TEXT)
    write(tmp_path / "a.txt.gz", SIDECAR, like=plain)
    assert chooser.coding("/a.txt", "zstd, gzip;q=0.5") == "gzip"
    slow.go_on.set()
    idle(coder)
    assert chooser.coding("/a.txt", "zstd, gzip;q=0.5") == "zstd"


# -- how


def test_a_file_is_compressed_once_however_many_ask(tmp_path: Path) -> None:
    slow = SlowCoder()
    coder = coders(gzip=slow)
    chooser = Chooser(tmp_path, coder)
    write(tmp_path / "a.txt", TEXT)
    for path in ("/a.txt", "//a.txt", "/a.txt", "///a.txt"):
        assert chooser.coding(path) == ""
        chooser.next_second()
    slow.wait()
    assert chooser.coding("/a.txt") == ""
    slow.go_on.set()
    idle(coder)
    assert slow.made == 1
    assert {chooser.coding(path) for path in ("/a.txt", "//a.txt", "////a.txt")} == {"gzip"}


def test_a_variant_outlives_the_memory_of_its_file(tmp_path: Path, chooser: Chooser, coder: BackgroundCoder) -> None:
    write(tmp_path / "a.txt", TEXT)
    chooser.ask("/a.txt")
    idle(coder)
    chooser.folder.forget("/a.txt")
    assert chooser.coding("/a.txt") == BEST


def test_the_queue_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "QUEUE", 2)
    slow = SlowCoder()
    coder = coders(gzip=slow)
    chooser = Chooser(tmp_path, coder)
    for number in range(5):
        write(tmp_path / f"{number}.txt", TEXT)
    chooser.ask("/0.txt")
    slow.wait()
    for number in range(1, 5):
        chooser.ask(f"/{number}.txt")
    assert len(coder._jobs) == 2
    slow.go_on.set()
    idle(coder)
    assert [chooser.coding(f"/{number}.txt") for number in range(5)] == ["gzip"] * 3 + [""] * 2
    chooser.next_second()
    chooser.ask("/4.txt")  # in the next second there is room, and it is asked for again
    idle(coder)
    assert chooser.coding("/4.txt") == "gzip"


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(background, "monotonic", lambda: self.now)


def test_the_memory_is_bounded_and_what_is_in_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coder: BackgroundCoder, chooser: Chooser
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(background, "MEMORY", 10_000)
    for number in range(20):
        write(tmp_path / f"{number}.txt", os.urandom(600).hex().encode())

    def coded() -> list[int]:
        found = []
        for number in range(20):
            chooser.ask(f"/{number}.txt", "gzip")
            idle(coder)
            assert coder._memory <= 10_000
            if chooser.coding(f"/{number}.txt", "gzip"):
                found.append(number)
        return found

    first = coded()
    assert 4 <= len(first) < 20
    assert first == list(range(len(first)))
    assert coder._memory == sum(2 * state.file.size for state in coder._states.values() if state.file)
    clock.now += background.KEPT - 1
    chooser.next_second()
    assert coded() == first
    # Much later, what is asked for again takes the place of what nobody wants any more.
    clock.now += background.KEPT + 1
    chooser.next_second()
    chooser.ask("/19.txt", "gzip")
    idle(coder)
    assert chooser.coding("/19.txt", "gzip") == "gzip"
    assert coder._memory <= 10_000
    assert chooser.coding("/0.txt", "gzip") == ""  # thrown out, though its file still knew of it


def test_what_was_thrown_out_is_kept_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coder: BackgroundCoder, chooser: Chooser
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(background, "MEMORY", 2000)
    for name in ("a.txt", "b.txt"):
        write(tmp_path / name, os.urandom(600).hex().encode())
    chooser.ask("/a.txt", "gzip")
    idle(coder)
    assert chooser.coding("/a.txt", "gzip") == "gzip"
    clock.now += background.KEPT + 1
    chooser.ask("/b.txt", "gzip")
    idle(coder)
    assert chooser.coding("/b.txt", "gzip") == "gzip"
    assert chooser.coding("/a.txt", "gzip") == ""  # in the very same second


def test_the_number_of_variants_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coder: BackgroundCoder, chooser: Chooser
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(background, "ENTRIES", 8)
    for number in range(30):
        write(tmp_path / f"{number}.txt", TEXT)
        chooser.ask(f"/{number}.txt")
        idle(coder)
        assert len(coder._states) <= 8
    clock.now += background.KEPT + 1
    chooser.next_second()
    chooser.ask("/29.txt")
    idle(coder)
    assert chooser.coding("/29.txt") == BEST
    assert len(coder._states) <= 8


def test_a_file_that_cannot_be_compressed_is_sent_as_it_is_and_others_still_are_compressed(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    def failing() -> Coder:
        if len(log.records) == 0:
            raise MemoryError("no more")
        return quick_coders()["gzip"]()

    coder = coders(gzip=failing)
    chooser = Chooser(tmp_path, coder)
    write(tmp_path / "a.txt", TEXT)
    write(tmp_path / "b.txt", TEXT)
    for _ in range(2):
        assert chooser.coding("/a.txt") == ""
        idle(coder)
        chooser.next_second()
    assert [record.levelname for record in log.records] == ["ERROR"]
    chooser.ask("/b.txt")
    idle(coder)
    assert chooser.coding("/b.txt") == "gzip"
    assert chooser.coding("/a.txt") == ""


def test_a_file_that_changes_while_it_is_compressed_leaves_nothing_behind(tmp_path: Path) -> None:
    slow = SlowCoder()
    coder = coders(gzip=slow)
    chooser = Chooser(tmp_path, coder)
    path = write(tmp_path / "a.txt", TEXT)
    chooser.ask("/a.txt")
    slow.wait()
    with path.open("r+b") as stream:
        stream.write(b"!")
    slow.go_on.set()
    idle(coder)
    assert [state.file for state in coder._states.values()] == [None]


def test_a_file_that_is_gone_before_its_turn_is_no_fault(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    slow = SlowCoder()
    coder = coders(gzip=slow)
    chooser = Chooser(tmp_path, coder)
    for name in ("a.txt", "b.txt"):
        write(tmp_path / name, TEXT)
        chooser.ask(f"/{name}")
    slow.wait()
    (tmp_path / "b.txt").unlink()
    slow.go_on.set()
    idle(coder)
    assert log.records == []
    assert slow.made == 2
    assert chooser.coding("/a.txt") == "gzip"


def test_a_replaced_file_of_the_same_size_and_time_is_compressed_anew(
    tmp_path: Path, chooser: Chooser, coder: BackgroundCoder
) -> None:
    path = write(tmp_path / "a.txt", TEXT)
    chooser.ask("/a.txt", "gzip")
    idle(coder)
    write(tmp_path / "other", TEXT.upper(), like=path).replace(path)
    assert chooser.ask("/a.txt", "gzip").content == TEXT.upper()
    idle(coder)
    content = chooser.ask("/a.txt", "gzip").content
    assert content is not None
    assert gzip.decompress(content) == TEXT.upper()


def test_without_a_thread_files_are_sent_as_they_are(
    tmp_path: Path, chooser: Chooser, coder: BackgroundCoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.txt", TEXT)

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        assert chooser.coding("/a.txt") == ""
    chooser.next_second()
    chooser.ask("/a.txt")
    idle(coder)
    assert chooser.coding("/a.txt") == BEST


def test_the_thread_goes_when_there_is_nothing_to_do(tmp_path: Path, chooser: Chooser, coder: BackgroundCoder) -> None:
    before = threading.active_count()
    write(tmp_path / "a.txt", TEXT)
    chooser.ask("/a.txt")
    idle(coder)
    assert threading.active_count() == before


def test_closing_gives_up_what_is_in_the_queue_and_what_was_begun(tmp_path: Path) -> None:
    slow = SlowCoder()
    coder = coders(gzip=slow)
    chooser = Chooser(tmp_path, coder)
    for number in range(3):
        write(tmp_path / f"{number}.txt", b"x" * 4 * background.PIECE)
        chooser.ask(f"/{number}.txt")
    slow.wait()
    coder.close()
    slow.go_on.set()
    idle(coder)
    assert slow.made == 1
    assert [state.file for state in coder._states.values()] == [None]
    assert chooser.coding("/1.txt") == ""


def test_many_threads_may_ask_at_once(tmp_path: Path, chooser: Chooser, coder: BackgroundCoder) -> None:
    for number in range(20):
        write(tmp_path / f"{number}.txt", TEXT + str(number).encode())
    wrong: list[object] = []

    def ask_all() -> None:
        for _ in range(5):
            for number in range(20):
                file = chooser.ask(f"/{number}.txt", "gzip")
                content = gzip.decompress(file.content or b"") if file.coding else file.content
                if content != TEXT + str(number).encode():
                    wrong.append((number, file.coding))

    threads = [threading.Thread(target=ask_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    idle(coder)
    assert wrong == []
    assert {chooser.coding(f"/{number}.txt", "gzip") for number in range(20)} == {"gzip"}
