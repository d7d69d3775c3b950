"""How coded variants are made in the background: once, within bounds, and whatever happens meanwhile."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from tests.files.choosing import Chooser, SlowCoder, coders, idle, write
from tpserver.files import background
from tpserver.files.background import BackgroundCoder
from tpserver.files.coders import Coder, quick_coders
from tpserver.system.clock import clock

TEXT = b"a line of text that comes again and again\n" * 1200  # 50 KB
BEST = next(iter(quick_coders()))


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
        monkeypatch.setattr(clock, "monotonic", lambda: self.now)


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
    assert coder._memory == sum(2 * made.file.size for made in coder._states.values() if made.file)
    clock.now += background.KEPT - 1
    chooser.next_second()
    assert coded() == first
    # Much later, what is asked for again takes the place of what is no longer asked for.
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
    assert [made.file for made in coder._states.values()] == [None]


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
    assert not any(made.file for made in coder._states.values())
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
