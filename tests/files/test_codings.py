"""Content codings by themselves: what is worth one, and that what is coded can be read again."""

from __future__ import annotations

import gzip
import os
import zlib
from typing import Any

import pytest

from tpserver.files import coders
from tpserver.files.coders import NoSmaller, coded, quick_coders, thorough_coders
from tpserver.files.codings import compressible, is_coded, packed
from tpserver.files.media import media_type

TEXT = b"a line of text that comes again and again\n" * 3000


@pytest.mark.parametrize(
    ("media_type", "gets_smaller", "by_itself"),
    [
        ("text/html; charset=utf-8", True, False),
        ("text/css", True, False),
        ("Text/Plain ;charset=UTF-8", True, False),
        ("Image/PNG", False, True),
        ("text/javascript; charset=utf-8", True, False),
        ("application/json", True, False),
        ("application/manifest+json", True, False),
        ("application/geo+json", True, False),
        ("application/xhtml+xml", True, False),
        ("application/xml", True, False),
        ("application/wasm", True, False),
        ("image/svg+xml", True, False),
        ("image/vnd.microsoft.icon", True, False),
        ("image/bmp", True, False),
        ("font/ttf", True, False),
        ("font/woff2", False, True),
        ("image/png", False, True),
        ("image/webp", False, True),
        ("video/mp4", False, True),
        ("audio/ogg", False, True),
        ("application/zip", False, True),
        ("application/gzip", False, True),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", False, True),
        # Unknown: not compressed, but what lies beside it is used.
        ("application/octet-stream", False, False),
        ("application/pdf", False, False),
        ("application/x-text/html", False, False),
    ],
)
def test_what_is_worth_a_coding(media_type: str, gets_smaller: bool, by_itself: bool) -> None:
    assert (compressible(media_type), packed(media_type)) == (gets_smaller, by_itself)


@pytest.mark.parametrize(
    ("name", "expected"), [("a.gz", True), ("A.GZ", True), ("a.br", True), ("a.zst", True), ("a.svgz", True)]
)
def test_the_names_of_coded_files(name: str, expected: bool) -> None:
    assert is_coded(name) is expected
    assert not is_coded(name + ".txt")


@pytest.mark.parametrize(
    "extension", ["docx", "xlsx", "pptx", "odt", "ods", "odp", "epub", "jar", "7z", "glb.zip", "woff2"]
)
def test_what_is_a_zip_inside_has_no_sidecars(extension: str) -> None:
    assert packed(media_type(f"a.{extension}"))
    assert not compressible(media_type(f"a.{extension}"))


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def decoded(coding: str, data: bytes) -> bytes:
    if coding == "gzip":
        return gzip.decompress(data)
    module: Any = coders._first(*(("brotli",) if coding == "br" else ("compression.zstd", "backports.zstd")))
    return bytes(module.decompress(data))


@pytest.mark.parametrize("size", [1, 100, 65536, 1_000_000])
def test_what_is_coded_in_pieces_can_be_read_again(size: int) -> None:
    text = TEXT[: 100 * size]
    for by_coding in (quick_coders(), thorough_coders()):
        for coding, coder in by_coding.items():
            once = b"".join(coded(pieces(text, size), coder(), 10**9))
            assert decoded(coding, once) == text
            assert b"".join(coded(pieces(text, size), coder(), 10**9)) == once


@pytest.mark.parametrize("coding", thorough_coders())
@pytest.mark.parametrize("content", [b"", b"x", TEXT, bytes(3_000_000), os.urandom(70_000)], ids=len)
@pytest.mark.parametrize("cut", [1000, 10**7])
def test_what_was_coded_is_read_again_in_pieces(coding: str, content: bytes, cut: int) -> None:
    whole = b"".join(coded([content], thorough_coders()[coding](), 10**7))
    pieces = [whole[start : start + cut] for start in range(0, len(whole), cut)]
    assert b"".join(coders.decoded(coding, pieces)) == content


@pytest.mark.parametrize("coding", thorough_coders())
@pytest.mark.parametrize("damage", ["empty", "cut", "longer", "twice", "other"])
def test_what_is_not_one_whole_content_is_refused(coding: str, damage: str) -> None:
    whole = b"".join(coded([TEXT], thorough_coders()[coding](), len(TEXT)))
    pieces = {
        "empty": [],
        "cut": [whole[:-1]],
        "longer": [whole, b"and more"],
        "twice": [whole + whole],
        "other": [TEXT],
    }[damage]
    with pytest.raises(ValueError, match="it is not"):
        b"".join(coders.decoded(coding, pieces))


def test_gzip_is_always_there_and_tells_no_time() -> None:
    for by_coding in (quick_coders(), thorough_coders()):
        data = b"".join(coded([TEXT], by_coding["gzip"](), len(TEXT)))
        assert data[:3] == b"\x1f\x8b\x08"
        assert data[3] in (0, 16)  # no name, at the most a comment
        assert data[4:8] == b"\0\0\0\0"  # no time
        assert data[-8:-4] == zlib.crc32(TEXT).to_bytes(4, "little")


def test_without_other_modules_gzip_is_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coders, "_first", lambda *modules: None)
    assert list(quick_coders()) == ["gzip"]
    assert list(thorough_coders()) == ["gzip"]


def test_a_module_that_is_not_there_is_passed_over() -> None:
    assert coders._first("no.such.module", "zlib") is zlib
    assert coders._first("no.such.module") is None


def test_what_gets_no_smaller_is_given_up_early() -> None:
    read = []

    def noise() -> Any:
        for _ in range(1000):
            read.append(1)
            yield os.urandom(65536)

    with pytest.raises(NoSmaller):
        list(coded(noise(), quick_coders()["gzip"](), 65536 * 3))
    assert len(read) < 10


@pytest.mark.parametrize(("spare", "fits"), [(1, True), (0, False), (-1, False)])
def test_smaller_means_smaller(spare: int, fits: bool) -> None:
    def compress(size: int) -> bytes:
        return b"".join(coded([TEXT], quick_coders()["gzip"](), size))

    size = len(compress(10**9)) + spare
    if fits:
        assert compress(size)
    else:
        with pytest.raises(NoSmaller):
            compress(size)
