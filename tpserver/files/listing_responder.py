"""Answers with the listing of a folder: collects its entries and sends the page or the JSON.

A small listing is sent like any short response. A large one is made and sent in pieces; the thread that makes it is
relieved as leader. It never waits for the client: the part that a slow client has not read goes to a temporary file,
from which the leader sends it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, Final

from tpserver.errors import RequestRefused
from tpserver.files.folder import EXHAUSTED, Folder, Listing, out_of_descriptors
from tpserver.files.listing import Entry, parse_view, wants_json
from tpserver.files.listing_page import json_list, page
from tpserver.files.listing_style import POLICY
from tpserver.files.paths import allowed, is_code, is_program
from tpserver.http.conditional import Validators, evaluate
from tpserver.http.head import Head
from tpserver.http.message import Message
from tpserver.http.response import CHUNKED_LINE, LAST_CHUNK, chunk, own_head, persistence_line
from tpserver.logs.log import Log
from tpserver.reply import Reply, Wire
from tpserver.system.clock import clock

_log = Log("tpserver")

# A listing has none: the modification time of a folder does not change when a file in it does.
_NO_VALIDATORS: Final = Validators("", None)

# A folder with more entries is a large one: some ten milliseconds of work.
LARGE: Final = 1024
# Most large listings that are made at once. One more gets 503: there are few threads besides the application's.
AT_ONCE: Final = 2
# Most bytes of a listing that wait for the client in memory; the rest waits on disk.
IN_MEMORY: Final = 1024 * 1024
# Most listings that wait on disk for their clients; a further large one gets 503. Otherwise some thousand clients that
# read nothing could fill the disk.
MAX_ON_DISK: Final = 32

# Windows: a junction or another kind of link; `is_symlink` does not report all of them.
_REPARSE_POINT: Final = getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0x400)


class LargeListings:
    """Bounds the large listings of one server: those being made, and those that wait on disk. Any thread."""

    def __init__(self) -> None:
        self._making = threading.Semaphore(AT_ONCE)
        self._on_disk: list[Wire] = []
        # Guards `_on_disk`.
        self._lock = threading.Lock()

    def start(self) -> bool:
        """Whether one more may be made; if so, the caller must call `release` afterwards."""
        with self._lock:
            self._on_disk = [wire for wire in self._on_disk if wire.sending]
            return len(self._on_disk) < MAX_ON_DISK and self._making.acquire(blocking=False)

    def release(self) -> None:
        """Ends what `start` began."""
        self._making.release()

    def add_on_disk(self, wire: Wire) -> None:
        """Counts a listing whose rest waits on disk, as long as `wire.sending` is true."""
        with self._lock:
            self._on_disk.append(wire)


class ListingResponder:
    """Answers with one listing that a `Folder` has found. Any thread; usually the leader.

    `large` bounds the large listings; the responders of one server share it.
    """

    __slots__ = ("_folder", "_large", "_listing")
    runs_inline = True

    def __init__(self, folder: Folder, listing: Listing, large: LargeListings) -> None:
        self._folder = folder
        self._listing = listing
        self._large = large

    def respond(self, request: Message, reply: Reply) -> None:
        """Sends it. Raises `RequestRefused`: 404 where the folder was removed, 503 beyond the limits."""
        head = request.head
        as_json = wants_json(head.fields.get("HTTP_ACCEPT"))
        fields = _fields(as_json)
        status = evaluate(head.method, head.fields, _NO_VALIDATORS, int(clock.time())) if head.conditional else 200
        if status == 412:
            raise RequestRefused(412, "A listing has no entity tag.")
        lines = own_head(status, fields if status == 200 else _without_content(fields))
        # A HEAD response omits the length, which only making the listing would tell (RFC 9110 section 9.3.2).
        if head.method == "HEAD" or status == 304:
            reply.status = status
            reply.wfile.write(lines + reply.stamp + persistence_line(head.protocol, reply.keep_alive) + b"\r\n")
            return
        with contextlib.ExitStack() as place:
            entries, is_large = self._collect(self._listing, place)
            view = parse_view(head.query)
            pieces = json_list(entries, view) if as_json else page(self._listing.names, entries, view)
            reply.status = 200
            if is_large:
                self._send_in_pieces(head, reply, lines, pieces)
            else:
                _send_whole(head, reply, lines, b"".join(pieces))

    def _collect(self, listing: Listing, place: contextlib.ExitStack) -> tuple[list[Entry], bool]:
        """The entries of the folder, and whether it is a large one: then `place` ends with a call of `release`."""
        entries: list[Entry] = []
        is_large = False
        try:
            with self._folder.scan(listing.real) as found:
                for number, one in enumerate(found):
                    if number == LARGE:
                        self._take_place(place)
                        is_large = True
                    entry = self._entry(listing.real, one)
                    if entry is not None:
                        entries.append(entry)
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise out_of_descriptors(error) from error
            raise RequestRefused(404, "This folder no longer exists.") from None
        return entries, is_large

    def _take_place(self, place: contextlib.ExitStack) -> None:
        if not self._large.start():
            raise RequestRefused(
                503,
                "The server is listing other large folders. Try again in a moment.",
                fields=(("Retry-After", "2"),),
            )
        place.callback(self._large.release)

    def _send_in_pieces(self, head: Head, reply: Reply, lines: bytes, pieces: Iterator[bytes]) -> None:
        """Sends in chunks, or until the connection closes (RFC 9112 section 6.3). Does not wait for the client."""
        chunked = head.protocol == "HTTP/1.1"
        if not chunked:
            reply.keep_alive = False
        wire = reply.wfile
        end = persistence_line(head.protocol, reply.keep_alive)
        wire.write(b"".join((lines, CHUNKED_LINE if chunked else b"", reply.stamp, end, b"\r\n")))
        try:
            for piece in pieces:
                reply.length += len(piece)
                wire.write(chunk(piece) if chunked else piece)
                wire.flush()
                if wire.broken:
                    return
                if wire.unsent > IN_MEMORY:
                    self._send_from_disk(reply, pieces, chunked)
                    return
        except BaseException:
            reply.keep_alive = False
            wire.reset()  # part of it was sent: the client must see that it is incomplete
            raise
        if chunked:
            wire.write(LAST_CHUNK)

    def _send_from_disk(self, reply: Reply, pieces: Iterator[bytes], chunked: bool) -> None:
        """Stores the rest of a listing in a temporary file, for a client that reads more slowly than it is made."""
        try:
            with tempfile.TemporaryFile(prefix="tpserver-") as file:
                reply.length += _store(file, pieces, chunked)
                file.flush()
                reply.wfile.write_file(os.dup(file.fileno()), 0, file.tell())
                self._large.add_on_disk(reply.wfile)
        except OSError as error:
            _log.error("cannot store the rest of a listing for a slow client: %s", error)
            reply.keep_alive = False
            reply.wfile.reset()

    def _entry(self, folder: str, found: os.DirEntry[str]) -> Entry | None:
        """The entry of a file or folder; None where a request for it would get 404."""
        name = found.name
        if not allowed(name, windows=self._folder.windows):
            return None
        try:
            real, status = f"{folder}{os.sep}{name}", found.stat(follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode) or getattr(status, "st_file_attributes", 0) & _REPARSE_POINT:
                target = self._folder.real_path(real)
                if target is None:
                    return None
                real, status = target, os.stat(target)
            if stat.S_ISDIR(status.st_mode):
                return (name, True, 0, _second(status)) if self._is_reachable(real, status) else None
            if not stat.S_ISREG(status.st_mode) or is_program(name) or is_code(real):
                return None
            return (name, False, status.st_size, _second(status)) if _permitted(real, status, os.R_OK) else None
        except OSError:  # removed meanwhile
            return None

    def _is_reachable(self, real: str, status: os.stat_result) -> bool:
        """Whether a folder can be listed, or can be entered and has an index."""
        if _permitted(real, status, os.R_OK | os.X_OK):
            return True
        return _permitted(real, status, os.X_OK) and self._folder.has_index(real)


def _permitted(path: str, status: os.stat_result, wanted: int) -> bool:
    """Whether this process may read the file or enter the folder; if everyone may, no system call is needed."""
    everyone = wanted * 0o111
    return status.st_mode & everyone == everyone or os.access(path, wanted)


def _second(status: os.stat_result) -> int:
    return status.st_mtime_ns // 1_000_000_000


def _without_content(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The fields that a 304 needs (RFC 9110 section 15.4.5)."""
    return [field for field in fields if field[0] in ("Vary", "Cache-Control")]


def _fields(as_json: bool) -> list[tuple[str, str]]:
    """The fields of a listing."""
    return [
        ("Content-Type", "application/json" if as_json else "text/html; charset=utf-8"),
        ("Vary", "Accept"),
        ("Cache-Control", "no-cache"),
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
    ]


def _send_whole(head: Head, reply: Reply, lines: bytes, content: bytes) -> None:
    reply.length = len(content)
    length = b"Content-Length: %d\r\n" % len(content)
    end = persistence_line(head.protocol, reply.keep_alive)
    reply.wfile.write(b"".join((lines, length, reply.stamp, end, b"\r\n", content)))


def _store(file: IO[bytes], pieces: Iterator[bytes], chunked: bool) -> int:
    """Writes the pieces to `file`; returns the bytes of content."""
    length = 0
    for piece in pieces:
        length += len(piece)
        file.write(chunk(piece) if chunked else piece)
    if chunked:
        file.write(LAST_CHUNK)
    return length
