"""Coded variants that the server makes by itself: when, and of what."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.client import Response, ask
from tests.files.choosing import BROWSER, Chooser, SlowCoder, coders, idle, write
from tests.running import Running, Start
from tests.waiting import eventually
from tpserver.files import background, variants
from tpserver.files.background import BackgroundCoder
from tpserver.files.coders import Coder, quick_coders

TEXT = b"a line of text that comes again and again\n" * 1200  # 50 KB
SIDECAR = gzip.compress(TEXT, mtime=0)
BEST = next(iter(quick_coders()))


def when_coded(running: Running, target: str, *lines: str) -> Response:
    """Asks until the answer comes coded."""
    answers: list[Response] = []

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
    # A client that began with the variant never gets the rest of something else.
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
def test_nothing_is_compressed_that_no_client_accepts(tmp_path: Path, accept_encoding: str | None) -> None:
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
