"""A zip archive as a stream: what Python's reader, and others, make of it."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tpserver.files import zip_stream
from tpserver.files.zip_stream import ZipStream

FILES = [("a.txt", b"a" * 1000, 1), ("sub/b.bin", bytes(range(256)) * 700, 0), ("empty", b"", 1)]


def stream(files: list[tuple[str, bytes, int]], folders: tuple[str, ...] = ("sub",)) -> bytes:
    archive = ZipStream(io.BytesIO())

    def pieces() -> Iterator[bytes]:
        for name in folders:
            yield archive.folder(name, 1_720_000_000)
        for name, content, level in files:
            parts = [content[:10], content[10:]] if content else []
            yield from archive.file(name, 1_720_000_000, len(content), level, parts)
        yield from archive.end()

    return b"".join(pieces())


def read(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def test_files_and_folders_come_out_as_they_went_in() -> None:
    data = stream(FILES)
    assert read(data) == {"sub/": b"", **{name: content for name, content, _ in FILES}}
    assert len(data) < sum(len(content) for _, content, _ in FILES) + 1000
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.getinfo("sub/").is_dir()
        assert archive.getinfo("a.txt").compress_size < 50
        assert archive.getinfo("a.txt").date_time[0] == 2024


@pytest.mark.parametrize("name", ["\u65e5\u672c\u8a9e.txt", "caf\u00e9", "a:b&c 'd'"])
def test_names_are_unicode(name: str) -> None:
    assert list(read(stream([(name, b"x", 1)], ()))) == [name]


def test_a_name_that_is_no_utf_8_has_a_question_mark() -> None:
    assert list(read(stream([("caf\udce9", b"x", 1)], ()))) == ["caf?"]


def test_an_empty_archive_is_one() -> None:
    assert read(stream([], ())) == {}


@pytest.mark.parametrize("modified", [-(10**11), -1, 0, 2**31, 10**11, 10**15])
def test_any_date_fits(modified: int) -> None:
    archive = ZipStream(io.BytesIO())
    data = archive.folder("a", modified) + b"".join(archive.end())
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert 1980 <= found.getinfo("a/").date_time[0] <= 2107


def test_more_entries_than_65535_are_all_there() -> None:
    archive = ZipStream(io.BytesIO())
    parts = [archive.folder(str(number), 0) for number in range(65_600)]
    with zipfile.ZipFile(io.BytesIO(b"".join([*parts, *archive.end()]))) as found:
        assert len(found.infolist()) == 65_600


def test_what_lies_beyond_4_gib_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_stream, "_LARGE", 100)  # sizes of 64 bits from here on
    assert read(stream(FILES))["sub/b.bin"] == FILES[1][1]
    archive = ZipStream(io.BytesIO())
    gap = 5 * 1024**3
    archive._offset = gap
    data = b"".join([*archive.file("a.txt", 0, 5, 1, [b"abcde"]), *archive.end()])
    before = data.index(b"PK\1\2")

    class Sparse(io.RawIOBase):
        """The archive behind a gap of 5 GiB."""

        at = 0

        def seekable(self) -> bool:
            return True

        def readable(self) -> bool:
            return True

        def tell(self) -> int:
            return self.at

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at = offset + (0, self.at, gap + len(data))[whence]
            return self.at

        def read(self, size: int = -1) -> bytes:
            start = self.at - gap
            assert start >= 0
            found = data[start:] if size < 0 else data[start : start + size]
            self.at += len(found)
            return found

    assert before > 0
    with zipfile.ZipFile(Sparse()) as found:  # type: ignore[arg-type]
        assert found.getinfo("a.txt").header_offset == gap
        assert found.read("a.txt") == b"abcde"


@pytest.mark.field
def test_unzip_takes_it(tmp_path: Path) -> None:
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("no unzip is installed")
    (tmp_path / "a.zip").write_bytes(stream(FILES))
    subprocess.run([unzip, "-q", "a.zip", "-d", "out"], cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / "out" / "sub" / "b.bin").read_bytes() == FILES[1][1]
    assert (tmp_path / "out" / "a.txt").stat().st_mtime == 1_720_000_000
