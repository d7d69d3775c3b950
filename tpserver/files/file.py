"""One representation of a file: its bytes or where they are, its validators, and the heads that go before them.

A file as it lies on the disk is one; so is a compressed variant of it, whose bytes, length and
entity tag are its own.
"""

from __future__ import annotations

import copy
import os
import zlib
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final, NamedTuple

from tpserver.files.codings import is_coded, packed
from tpserver.files.media import media_type
from tpserver.http.conditional import Validators
from tpserver.http.dates import format_date
from tpserver.http.negotiation import Tiers
from tpserver.http.response import own_head
from tpserver.system.clock import clock

Signature = tuple[int, int, int, int, int]

_SECOND: Final = 1_000_000_000

# What changes when a file is edited or replaced, or its permissions are. Windows: `st_ctime` of `os.stat` is the time
# of creation, that of `os.fstat` the time of the last change since Python 3.12 (cpython#157671). Both have the former.
_CHANGED: Final = "st_birthtime_ns" if hasattr(os.stat_result, "st_birthtime_ns") else "st_ctime_ns"
signature: Final[Callable[[os.stat_result], Signature]] = attrgetter(
    "st_mtime_ns", _CHANGED, "st_size", "st_ino", "st_dev"
)


class File:
    """A regular file as it was when `status` was taken. Any thread may read it.

    `lines` are the head of a 200 response, `unmodified` that of a 304, each without Date and Server. `about` are the
    fields of a response with content, but for those that say of what kind and how long it is.
    """

    __slots__ = (
        "about", "as_sidecar", "coding", "content", "dated", "earlier", "fields", "lines", "made", "media_type",
        "modified", "mtime_ambiguous", "name", "negotiable", "real", "settled", "signature", "size", "turn",
        "unmodified", "validators", "variant_index", "varies", "verified_at",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        real: str,
        status: os.stat_result,
        content: bytes | None,
        *,
        coding: str = "",
        media: str | None = None,
        fields: Iterable[tuple[str, str]] = (),
        earlier: tuple[str, ...] = (),
        varies: bool = False,
    ) -> None:
        """`content` is what is sent, or None where that is read from the disk each time.

        `media` is its media type where the name alone does not tell; the caller vouches for that and for `fields`.
        """
        self.name = name  # the path as it was joined, links and all: what is looked at in the next turn
        self.real = real
        self.signature = signature(status)
        self.modified = status.st_mtime_ns
        self.size = status.st_size if content is None else len(content)
        self.content = content
        self.media_type = media or media_type(os.path.basename(name))  # the value of Content-Type
        # Its content coding (RFC 9110 section 8.4), where it has one.
        self.coding = coding
        self.made = False  # the server has made the coding: another time it may send the plain file, or other bytes
        self.earlier = earlier  # the names of files that would have been found before it
        self.fields = tuple(fields)  # what goes with every response about it besides
        # Whether there may be variants of it.
        self.negotiable = not coding and not packed(self.media_type) and not is_coded(name)
        self.varies = varies  # whether another Accept-Encoding field may get another variant
        self.variant_index: VariantIndex | None = None  # of a plain file: the variants that `Variants` has found
        # Of a coded file beside a plain one: the `lines` of that one, and the variant, or None where it is not usable.
        self.as_sidecar: tuple[bytes, File | None] | None = None
        self.settled: bytes | None = None  # the stamp of the second for which it is known to have no variants
        tag = entity_tag(status, content, coding)
        date = self.modified // _SECOND
        # RFC 9110 section 8.8.2.1: no later than the message itself. Else the tag alone has to do.
        self.validators = Validators(tag, date if date <= clock.time() else None)
        self.turn = -1
        self.verified_at = 0.0  # monotonic clock, seconds: when the links in its path were last followed
        self.mtime_ambiguous = False  # it was edited just before it was read: another edit may leave the same time
        self.write_lines()

    def write_lines(self) -> None:
        """Makes the heads' lines of what is known; again when that has changed."""
        # These go with a 304, too (RFC 9110 section 15.4.5).
        fields = [("ETag", self.validators.etag)]
        date = self.validators.last_modified
        if date is not None:
            fields.append(("Last-Modified", format_date(date)))
        fields += self.fields
        if self.varies:
            fields.append(("Vary", "Accept-Encoding"))
        coding = [("Content-Encoding", self.coding)] if self.coding else []
        ranges = [] if self.made else [("Accept-Ranges", "bytes")]
        self.about = [*coding, *ranges, *fields]
        if not any(name.lower() == "x-content-type-options" for name, _ in self.fields):
            self.about.append(("X-Content-Type-Options", "nosniff"))
        kind = [("Content-Type", self.media_type), ("Content-Length", str(self.size))]
        self.lines = own_head(200, kind + self.about)
        self.unmodified = own_head(304, fields)
        self.dated = b"", b""  # a stamp, and the whole response with it

    def renewed(self, status: os.stat_result) -> File:
        """The same representation, as it is now that it was opened and found changed."""
        coding, media, fields, varies = self.coding, self.media_type, self.fields, self.varies
        return File(self.name, self.real, status, None, coding=coding, media=media, fields=fields, varies=varies)

    def altered(self, **changes: object) -> File:
        """Another representation: a copy with these attributes changed."""
        file = copy.copy(self)
        file.variant_index = file.as_sidecar = file.settled = None
        for name, value in changes.items():
            setattr(file, name, value)
        file.write_lines()
        return file

    def response(self, stamp: bytes) -> bytes:
        """Head and content of a 200 with this stamp, kept in `dated`: that is made once a second."""
        assert self.content is not None
        data = b"%b%b\r\n%b" % (self.lines, stamp, self.content)
        self.dated = stamp, data
        return data


class Sidecar(NamedTuple):
    """A coded file beside a plain one: the `path` that a request for it has, and the `extension` for its `coding`."""

    path: str
    extension: str
    coding: str


class VariantState:
    """The state of one variant that the server compresses: `waiting` until that is done, `file` when there is one."""

    __slots__ = ("file", "retry_at", "used", "waiting")

    def __init__(self, now: float) -> None:
        self.file: File | None = None
        self.waiting = True
        self.retry_at = float("inf")  # monotonic clock, seconds: when a variant that could not be made is tried again
        self.used = now  # monotonic clock, seconds: last use


class VariantIndex:
    """The variants of one plain file, valid for one second."""

    __slots__ = ("chosen", "makeable", "sidecars", "stamp")

    def __init__(self, stamp: bytes, makeable: tuple[str, ...], sidecars: dict[Sidecar, int]) -> None:
        self.stamp = stamp
        self.makeable = makeable  # codings that the server can compress the file to
        self.sidecars = sidecars  # and their sizes in bytes
        self.chosen: dict[Tiers, Sidecar | VariantState | None] = {}  # None: the plain file


def entity_tag(status: os.stat_result, content: bytes | None, coding: str) -> str:
    """A strong entity tag (RFC 9110 section 8.8.3): of the content where that is known, else of what `status` tells.

    Two versions may have one size and one modification time: reproducible builds set it, and releases are switched. So
    of a large file the change time and the inode count as well, as a checksum: these numbers are the system's business.
    """
    if content is None:
        about = f"{status.st_ctime_ns} {status.st_ino}".encode("ascii")
        digest = f"{status.st_mtime_ns:x}-{status.st_size:x}-{zlib.crc32(about):x}"
    else:
        digest = f"{len(content):x}-{zlib.crc32(content):08x}{zlib.adler32(content):08x}"
    return f'"{digest}-{coding}"' if coding else f'"{digest}"'
