"""A zip archive as a stream of bytes: each entry is written before its size is known (APPNOTE.TXT of PKWARE)."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s2B5H3L5H2L")
_DESCRIPTOR: Final = struct.Struct("<4s3L")
_DESCRIPTOR_64: Final = struct.Struct("<4sL2Q")
_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")
_TIMESTAMP: Final = struct.Struct("<2HBl")  # extra field "UT": seconds since the epoch

_UTF_8: Final = 0x800
_SIZES_FOLLOW: Final = 0x08
_STORED, _DEFLATED = 0, 8
_VERSION, _VERSION_64 = 20, 45
_UNIX: Final = 3
_MAX_16: Final = 0xFFFF
_MAX_32: Final = 0xFFFF_FFFF
# Larger files get sizes of 64 bits: deflated, a file may be a little larger.
_LARGE: Final = 0xFF00_0000
# MS-DOS dates go from 1980 to 2107; a day less, for the time zone.
_FIRST: Final = 315_619_200
_LAST: Final = 4_354_732_800

# The level of deflate for what does not get smaller. Not stored: readers of streams cannot find the end of that.
NO_COMPRESSION: Final = 0


class ZipStream:
    """Makes one archive. `directory` takes the archive's directory, which comes last: some 100 bytes an entry."""

    def __init__(self, directory: BinaryIO) -> None:
        self._directory = directory
        self._offset = 0
        self._count = 0

    def folder(self, name: str, modified: int) -> bytes:
        """The entry of a folder; `name` has slashes between its parts, `modified` is in seconds since the epoch."""
        path, when, extra = _encoded(name) + b"/", _dos_time(modified), _extra(modified)
        data = _LOCAL.pack(
            b"PK\3\4", _VERSION, _UTF_8, _STORED, *when, 0, 0, 0, len(path), len(extra)
        ) + path + extra  # fmt: skip
        self._add(path, when, extra, _STORED, _UTF_8, (0, 0, 0), 0o40755 << 16 | 0x10, large=False)
        self._offset += len(data)
        return data

    def file(self, name: str, modified: int, size: int, level: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The entry of a file in pieces. `size` is about how large it is, in bytes; `pieces` are its content."""
        path, when, extra = _encoded(name), _dos_time(modified), _extra(modified)
        large = size > _LARGE
        flags, version = _UTF_8 | _SIZES_FOLLOW, _VERSION_64 if large else _VERSION
        placeholder = _MAX_32 if large else 0
        sizes_64 = struct.pack("<2H2Q", 1, 16, 0, 0) if large else b""
        head = _LOCAL.pack(
            b"PK\3\4", version, flags, _DEFLATED, *when, 0, placeholder, placeholder, len(path),
            len(sizes_64) + len(extra),
        ) + path + sizes_64 + extra  # fmt: skip
        yield head
        deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        check, plain, packed = 0, 0, 0
        for piece in pieces:
            check = zlib.crc32(piece, check)
            plain += len(piece)
            data = deflate.compress(piece)
            packed += len(data)
            if data:
                yield data
        data = deflate.flush()
        packed += len(data)
        tail = (_DESCRIPTOR_64 if large else _DESCRIPTOR).pack(b"PK\7\x08", check, packed, plain)
        yield data + tail
        self._add(path, when, extra, _DEFLATED, flags, (check, packed, plain), 0o100644 << 16, large=large)
        self._offset += len(head) + packed + len(tail)

    def end(self) -> Iterator[bytes]:
        """The directory in pieces, and the end of the archive."""
        start, length, count = self._offset, self._directory.tell(), self._count
        self._directory.seek(0)
        while piece := self._directory.read(65536):
            yield piece
        if count >= _MAX_16 or start >= _MAX_32 or length >= _MAX_32:
            yield _END_64.pack(b"PK\6\6", 44, _VERSION_64, _VERSION_64, 0, 0, count, count, length, start)
            yield _LOCATOR_64.pack(b"PK\6\7", 0, start + length, 1)
            start, length, count = min(start, _MAX_32), min(length, _MAX_32), min(count, _MAX_16)
        yield _END.pack(b"PK\5\6", 0, 0, count, count, length, start, 0)

    def _add(
        self, path: bytes, when: tuple[int, int], extra: bytes, method: int, flags: int,
        sums: tuple[int, int, int], attributes: int, *, large: bool,
    ) -> None:  # fmt: skip
        """Adds an entry to the directory; `sums` are check sum, packed and plain size."""
        check, packed, plain = sums
        offset, wide = self._offset, []
        if large:
            wide += [plain, packed]
            plain = packed = _MAX_32
        if offset >= _MAX_32:
            wide.append(offset)
            offset = _MAX_32
        version = _VERSION_64 if wide else _VERSION
        if wide:
            extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) + extra
        self._count += 1
        self._directory.write(_CENTRAL.pack(
            b"PK\1\2", _VERSION_64, _UNIX, version, flags, method, *when, check, packed, plain, len(path), len(extra),
            0, 0, 0, attributes, offset,
        ) + path + extra)  # fmt: skip


def _encoded(name: str) -> bytes:
    """UTF-8, which has no undecodable bytes: a question mark for each."""
    return name.encode("utf-8", "replace")


def _dos_time(modified: int) -> tuple[int, int]:
    """Local time, as archives have it: time and date of MS-DOS."""
    year, month, day, hour, minute, second, *_ = time.localtime(min(max(modified, _FIRST), _LAST))
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day


def _extra(modified: int) -> bytes:
    return _TIMESTAMP.pack(0x5455, 5, 1, modified) if -(1 << 31) <= modified < 1 << 31 else b""
