"""One representation of a file: its bytes or where they are, its validators, and the heads that go before them.

A file as it lies on the disk is one; so is a compressed variant of it, whose bytes, length and
entity tag are its own.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable
from typing import Any, Final

from tpserver.files.codings import CODED_SVG, is_coded, packed
from tpserver.files.media import media_type
from tpserver.http.conditional import Validators
from tpserver.http.dates import format_date
from tpserver.http.response import own_head
from tpserver.system.clock import clock

Signature = tuple[int, int, int, int, int]

_SECOND: Final = 1_000_000_000
_SVG: Final = "image/svg+xml"


class File:
    """A regular file as it was when `status` was taken. Any thread may read it.

    `lines` are the head of a 200 response, `unmodified` that of a 304, each without Date and Server. A time of
    modification that lies in the future is not told as long as it does, and `validators` have none.
    """

    __slots__ = (
        "_dated_from", "_lines", "choices", "coding", "content", "dated", "earlier", "fields", "media_type",
        "modified", "name", "negotiable", "proved", "real", "settled", "signature", "size", "turn", "unmodified",
        "validator_fields", "validators", "varies", "young",
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
        self.media_type = media or media_type(os.path.basename(name))
        # Its content coding (RFC 9110 section 8.4), where it has one.
        self.coding = coding or ("gzip" if self.media_type == _SVG and name.lower().endswith(CODED_SVG) else "")
        self.earlier = earlier  # the names of files that would have been found before it
        self.fields = tuple(fields)  # what goes with every response about it besides
        self.negotiable = not packed(self.media_type) and not is_coded(name)  # whether there may be variants of it
        self.varies = False  # whether another Accept-Encoding field may get another variant
        self.choices: Any = None  # what `Variants` knows of it
        self.settled: bytes | None = None  # the stamp of the second for which it is known to have no variants
        tag = f'"{self.modified:x}-{status.st_size:x}{"-" + coding if coding else ""}"'
        self.validators = Validators(tag, self.modified // _SECOND)
        self._dated_from = 0  # the second of a modification that lies in the future, else 0
        self.turn = -1
        self.proved = 0.0  # of the monotonic clock: when its name was last seen to lead here; its folder's
        self.young = False  # it was edited just before it was read; its folder's
        self.write_lines()

    def write_lines(self) -> None:
        """Makes the heads' lines of what is known; again when that has changed."""
        date = self.validators.last_modified
        if date is not None:
            self._dated_from = date if date > clock.time() else 0
            if self._dated_from:
                # RFC 9110 section 8.8.2.1: no later than the message itself. The tag alone has to do until then.
                date = None
                self.validators = self.validators._replace(last_modified=None)
        # These go with a 304, too (RFC 9110 section 15.4.5).
        fields = [("ETag", self.validators.etag)]
        if date is not None:
            fields.append(("Last-Modified", format_date(date)))
        fields += self.fields
        if self.varies:
            fields.append(("Vary", "Accept-Encoding"))
        self.validator_fields = fields
        about = [("Content-Type", self.media_type), ("Content-Length", str(self.size)), *self.about]
        self._lines = own_head(200, about)
        self.unmodified = own_head(304, fields)
        self.dated = b"", b""  # a stamp, and the whole response with it

    @property
    def lines(self) -> bytes:
        """The head of a 200 response, without Date and Server."""
        if self._dated_from and clock.time() >= self._dated_from:
            self.validators = self.validators._replace(last_modified=self._dated_from)
            self.write_lines()
        return self._lines

    @property
    def about(self) -> list[tuple[str, str]]:
        """The fields of a response with content, but for those that say of what kind and how long it is."""
        coding = [("Content-Encoding", self.coding)] if self.coding else []
        return [*coding, ("Accept-Ranges", "bytes"), *self.validator_fields]

    def renewed(self, status: os.stat_result) -> File:
        """The same representation, as it is now that it was opened and found changed."""
        file = File(self.name, self.real, status, None, coding=self.coding, media=self.media_type, fields=self.fields)
        if self.varies:
            file.varies = True
            file.write_lines()
        return file

    def also(self, *fields: tuple[str, str]) -> File:
        """The same, with further fields."""
        file = copy.copy(self)
        file.fields = (*self.fields, *fields)
        file.choices = file.settled = None
        file.write_lines()
        return file

    def response(self, stamp: bytes) -> bytes:
        """Head and content of a 200 with this stamp, kept in `dated`: that is made once a second."""
        assert self.content is not None
        data = b"%b%b\r\n%b" % (self.lines, stamp, self.content)
        self.dated = stamp, data
        return data


def signature(status: os.stat_result) -> Signature:
    """What changes when a file is edited or replaced, or its permissions are."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev
