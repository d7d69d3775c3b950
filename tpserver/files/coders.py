"""Compressors and decompressors of the content codings: for use while the server runs, and ahead of time."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from types import ModuleType
from typing import Final, Protocol

from tpserver.files.codings import ZSTD


class Coder(Protocol):
    """A compressor. Equal content gives equal coded bytes."""

    def compress(self, data: bytes, /) -> bytes:
        """The coded bytes of one more piece of the content; may be empty."""
        ...

    def flush(self) -> bytes:
        """The last coded bytes."""
        ...


class _Brotli:
    """Adapts the package brotli to `Coder`."""

    def __init__(self, brotli: ModuleType) -> None:
        coder = brotli.Compressor(quality=11)
        self.compress: Callable[[bytes], bytes] = coder.process
        self.flush: Callable[[], bytes] = coder.finish


# The head of a gzip frame (RFC 1952 section 2.3): deflate, comment, time 0, highest level, unknown system.
_MARK: Final = b"\x1f\x8b\x08\x10" + bytes(4) + b"\x02\xff" + b"tpserver\0"


class _MarkedGzip:
    """gzip at its highest level, with the comment "tpserver", time 0 and without a name."""

    def __init__(self) -> None:
        self._coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
        self._sum = zlib.crc32(b"")
        self._size = 0
        self._head = _MARK

    def compress(self, data: bytes, /) -> bytes:
        head, self._head = self._head, b""
        self._sum = zlib.crc32(data, self._sum)
        self._size += len(data)
        return head + self._coder.compress(data)

    def flush(self) -> bytes:
        end = self._sum.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little")
        return self._head + self._coder.flush() + end


# The number of bytes that `may_be_ours` needs.
MARK_LENGTH: Final = len(_MARK)


def may_be_ours(coding: str, beginning: bytes) -> bool:
    """Whether `thorough_coders` may have written a file with this beginning.

    gzip carries our mark. zstd has only its magic number, and Brotli nothing: True for every Brotli file.
    """
    if coding == "gzip":
        return beginning.startswith(_MARK)
    return coding != "zstd" or beginning.startswith(ZSTD)


def _first(*modules: str) -> ModuleType | None:
    """The first of these modules that can be imported, or None."""
    for module in modules:
        try:
            return importlib.import_module(module)
        except ImportError:
            pass
    return None


def quick_coders() -> dict[str, Callable[[], Coder]]:
    """Compressors for use while the server runs, by coding, the best first; standard library only."""
    coders: dict[str, Callable[[], Coder]] = {}
    zstd = _first("compression.zstd")  # since Python 3.14
    if zstd is not None:
        coders["zstd"] = lambda: zstd.ZstdCompressor(level=3)
    # 16 + 15: a window of 15 bits, in a gzip frame with time 0 and without a name.
    coders["gzip"] = lambda: zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS, 9)
    return coders


def thorough_coders() -> dict[str, Callable[[], Coder]]:
    """Compressors for use ahead of time, by coding, at the highest level that clients can read.

    Brotli needs the package brotli or brotlicffi; zstd needs Python 3.14 or the package backports.zstd.
    """
    coders: dict[str, Callable[[], Coder]] = {}
    brotli = _first("brotli", "brotlicffi")
    if brotli is not None:
        coders["br"] = lambda: _Brotli(brotli)
    zstd = _first("compression.zstd", "backports.zstd")
    if zstd is not None:
        # Up to level 19 the window is at most 8 MiB, the limit of clients (RFC 9659).
        coders["zstd"] = lambda: zstd.ZstdCompressor(level=19)
    coders["gzip"] = _MarkedGzip
    return coders


# Most bytes that `decoded` yields at a time. Coded bytes that Brotli gets at a time: older packages do not bound their
# output, and a few bytes may decode to 16 MiB.
_PART: Final = 256 * 1024
_BROTLI_PIECE: Final = 64

_Decoded = Generator[bytes, None, bool]  # pieces of content, and in the end whether it was exactly one content


def decoded(coding: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The decoded content of coded bytes, in pieces. `coding` is one of those of `thorough_coders`.

    Raises ValueError where the bytes are not exactly one complete content, as these compressors write it.
    """
    decode = {"gzip": _inflated, "zstd": _of_zstd, "br": _of_brotli}[coding]
    is_whole = yield from decode(pieces)
    if not is_whole:
        raise ValueError(f"it is not exactly one content in {coding}")


def _inflated(pieces: Iterable[bytes]) -> _Decoded:
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        for piece in pieces:
            left = piece
            while left:
                yield decoder.decompress(left, _PART)
                left = decoder.unconsumed_tail
        yield decoder.flush()
    except zlib.error:
        return False
    return decoder.eof and not decoder.unused_data


def _of_zstd(pieces: Iterable[bytes]) -> _Decoded:
    zstd = _first("compression.zstd", "backports.zstd")
    assert zstd is not None, "the caller asks only for codings of `thorough_coders`"
    decoder = zstd.ZstdDecompressor()
    try:
        for piece in pieces:
            yield decoder.decompress(piece, _PART)
            while not (decoder.eof or decoder.needs_input):
                yield decoder.decompress(b"", _PART)
    except (zstd.ZstdError, EOFError):
        return False
    return decoder.eof and not decoder.unused_data


def _of_brotli(pieces: Iterable[bytes]) -> _Decoded:
    brotli = _first("brotli", "brotlicffi")
    assert brotli is not None, "the caller asks only for codings of `thorough_coders`"
    decoder = brotli.Decompressor()
    try:
        for piece in pieces:
            for start in range(0, len(piece), _BROTLI_PIECE):
                yield decoder.process(piece[start : start + _BROTLI_PIECE])
    except brotli.error:
        return False
    return bool(decoder.is_finished())


class NoSmaller(Exception):
    """The coded content would not be smaller than the plain one."""


def coded(pieces: Iterable[bytes], coder: Coder, size: int) -> Iterator[bytes]:
    """The coded content of `pieces`, in pieces. Raises `NoSmaller` as soon as it reaches `size` bytes."""
    left = size
    for piece in pieces:
        part = coder.compress(piece)
        left -= len(part)
        if left <= 0:
            raise NoSmaller
        if part:
            yield part
    part = coder.flush()
    if left <= len(part):
        raise NoSmaller
    yield part
