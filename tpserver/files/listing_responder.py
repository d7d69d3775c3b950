"""Listings of folders: what is in one, and how the page or the JSON of it gets to a client.

A small one is sent like any short response. A large one is made in pieces, each sent as it is made, by
a thread that the leader's watcher relieves; it never waits for the client: what a slow one has not yet
taken goes to a temporary file, from which the leader sends it.
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
from tpserver.files.folder import EXHAUSTED, Folder, Listing, no_room
from tpserver.files.listing import Entry, parse_view, wants_json
from tpserver.files.listing_page import json_list, page
from tpserver.files.listing_style import POLICY
from tpserver.files.paths import allowed, is_code, is_program
from tpserver.files.responder import ALLOW, refuse_method
from tpserver.http.conditional import Validators, evaluate
from tpserver.http.head import Head
from tpserver.http.message import Message
from tpserver.http.response import CHUNKED_LINE, LAST_CHUNK, chunk, own_head, persistence_line
from tpserver.logs.log import Log
from tpserver.reply import Reply, Wire
from tpserver.system.clock import clock

_log = Log("tpserver")

# A change in a file leaves its folder's date as it was.
_NO_VALIDATORS: Final = Validators("", None)

# A folder of more entries than this is a large one: some ten milliseconds of work.
LARGE: Final = 1024
# So many large listings are made at once. One more gets 503: the threads beyond those of the application are few.
AT_ONCE: Final = 2
# So many bytes of a listing wait for the client in memory; the rest does so on disk.
IN_MEMORY: Final = 1024 * 1024
# So many listings wait on disk for their clients; one more large one gets 503. Else some thousand clients that read
# nothing fill the disk.
LAGGING: Final = 32

# Windows: a junction or a link of another kind, whatever `is_symlink` says of it.
_REPARSE_POINT: Final = getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0x400)


class LargeListings:
    """Those of one server: few are made at once, and few wait on disk for slow clients. Any thread."""

    def __init__(self) -> None:
        self._making = threading.Semaphore(AT_ONCE)
        self._lagging: list[Wire] = []
        # Guards `_lagging`.
        self._lock = threading.Lock()

    def enter(self) -> bool:
        """Whether one more may be made; then `leave` has to be called."""
        with self._lock:
            self._lagging = [wire for wire in self._lagging if wire.sending]
            return len(self._lagging) < LAGGING and self._making.acquire(blocking=False)

    def leave(self) -> None:
        """One has been made, or given up."""
        self._making.release()

    def lags(self, wire: Wire) -> None:
        """What is left of one waits on disk."""
        with self._lock:
            self._lagging.append(wire)


class ListingResponder:
    """Answers with one listing that a `Folder` has found. Any thread; usually the leader.

    `large` counts the large listings; the responders of one server share it.
    """

    __slots__ = ("_folder", "_large", "_listing")
    runs_inline = True

    def __init__(self, folder: Folder, listing: Listing, large: LargeListings) -> None:
        self._folder = folder
        self._listing = listing
        self._large = large

    def respond(self, request: Message, reply: Reply) -> None:
        """Raises `RequestRefused`: 404 where the folder has gone, 503 where too many large ones are being made."""
        head = request.head
        if head.method == "OPTIONS":
            reply.page(204, "", (("Allow", ALLOW),))
            return
        refuse_method(head.method, known_path=True)
        as_json = wants_json(head.fields.get("HTTP_ACCEPT"))
        fields = _fields(as_json)
        status = evaluate(head.method, head.fields, _NO_VALIDATORS, int(clock.time())) if head.conditional else 200
        if status == 412:
            raise RequestRefused(412, "A listing has no entity tag.")
        lines = own_head(status, fields if status == 200 else _without_content(fields))
        # For HEAD, what it costs to know the length is not spent on it (RFC 9110 section 9.3.2).
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
        """What is in the folder, and whether that is much: then `place` holds one of those for large listings."""
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
                raise no_room(error) from error
            raise RequestRefused(404, "There is no such folder any more.") from None
        return entries, is_large

    def _take_place(self, place: contextlib.ExitStack) -> None:
        if not self._large.enter():
            raise RequestRefused(
                503,
                "The server lists other large folders just now. Try again in a moment.",
                fields=(("Retry-After", "2"),),
            )
        place.callback(self._large.leave)

    def _send_in_pieces(self, head: Head, reply: Reply, lines: bytes, pieces: Iterator[bytes]) -> None:
        """Chunked, or to the end of the connection (RFC 9112 section 6.3). Does not wait for the client."""
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
            wire.reset()  # it has begun: what was sent must not pass for the whole
            raise
        if chunked:
            wire.write(LAST_CHUNK)

    def _send_from_disk(self, reply: Reply, pieces: Iterator[bytes], chunked: bool) -> None:
        """What is left of a listing, for a client that reads more slowly than it is made."""
        try:
            with tempfile.TemporaryFile(prefix="tpserver-") as file:
                reply.length += _store(file, pieces, chunked)
                file.flush()
                reply.wfile.write_file(os.dup(file.fileno()), 0, file.tell())
                self._large.lags(reply.wfile)
        except OSError as error:
            _log.error("cannot store the rest of a listing for a slow client: %s", error)
            reply.keep_alive = False
            reply.wfile.reset()

    def _entry(self, folder: str, found: os.DirEntry[str]) -> Entry | None:
        """What a request for it would get; None where that is no file and no folder."""
        name = found.name
        if not allowed(name, windows=self._folder.windows):
            return None
        try:
            real, status = f"{folder}{os.sep}{name}", found.stat(follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode) or getattr(status, "st_file_attributes", 0) & _REPARSE_POINT:
                there = self._folder.real_path(real)
                if there is None:
                    return None
                real, status = there, os.stat(there)
            if stat.S_ISDIR(status.st_mode):
                return (name, True, 0, _second(status)) if self._leads_on(real, status) else None
            if not stat.S_ISREG(status.st_mode) or is_program(name) or is_code(real):
                return None
            return (name, False, status.st_size, _second(status)) if _may(real, status, os.R_OK) else None
        except OSError:  # gone meanwhile
            return None

    def _leads_on(self, real: str, status: os.stat_result) -> bool:
        """Whether a folder may be listed, or else entered and has an index."""
        if _may(real, status, os.R_OK | os.X_OK):
            return True
        return _may(real, status, os.X_OK) and self._folder.has_index(real)


def _may(path: str, status: os.stat_result, wanted: int) -> bool:
    """Whether this process may read the file or enter the folder; what everyone may needs no system call."""
    everyone = wanted * 0o111
    return status.st_mode & everyone == everyone or os.access(path, wanted)


def _second(status: os.stat_result) -> int:
    return status.st_mtime_ns // 1_000_000_000


def _without_content(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that a 304 needs (RFC 9110 section 15.4.5)."""
    return [field for field in fields if field[0] in ("Vary", "Cache-Control")]


def _fields(as_json: bool) -> list[tuple[str, str]]:
    """Of both kinds."""
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
    length = 0
    for piece in pieces:
        length += len(piece)
        file.write(chunk(piece) if chunked else piece)
    if chunked:
        file.write(LAST_CHUNK)
    return length
