"""Answers with the listing of a folder: collects its entries and sends the page, the JSON or the text.

A listing is made in pieces; the thread that makes a large one is relieved as leader. It never waits for the client: a
listing that takes much memory goes to a temporary file, from which the leader sends it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.files.archive_responder import ArchiveResponder, Archives, wants_archive
from tpserver.files.folder import EXHAUSTED, Folder
from tpserver.files.found import Listing
from tpserver.files.listing import FORMATS, Entry, filtered, parse_view, wanted_format
from tpserver.files.listing_entries import entry_of
from tpserver.files.listing_page import json_list, page, text_list
from tpserver.files.listing_style import POLICY
from tpserver.files.opening import out_of_descriptors
from tpserver.files.responder import rest_of_head
from tpserver.http.conditional import Validators, evaluate
from tpserver.http.head import Head
from tpserver.http.message import Message
from tpserver.http.response import own_head, with_rules
from tpserver.logs.log import Log
from tpserver.reply import Reply, Responder, Wire
from tpserver.system.clock import clock

_log = Log("tpserver")

# Whatever a file name contains, the page runs no script but its own.
_SAFETY: Final = (("Content-Security-Policy", POLICY), ("X-Content-Type-Options", "nosniff"))
# A listing has none: the modification time of a folder does not change when a file in it does.
_NO_VALIDATORS: Final = Validators("", None)

# A folder with more entries is a large one: some ten milliseconds of work.
LARGE: Final = 1024
# Most large listings that are made at once. One more gets 503: there are few threads besides the application's.
AT_ONCE: Final = 2
# Bytes of the largest listing that waits for its client in memory; others wait on disk.
IN_MEMORY: Final = 1024 * 1024
# Most listings that wait on disk; a further large one gets 503. Else clients that read nothing could fill the disk.
MAX_ON_DISK: Final = 32


class LargeListings:
    """Bounds the large listings of one server: those being made, and those that wait on disk. Any thread."""

    def __init__(self) -> None:
        self._making = threading.Semaphore(AT_ONCE)
        self._on_disk: list[Wire] = []
        self._lock = threading.Lock()  # guards `_on_disk`

    def start(self, place: contextlib.ExitStack) -> None:
        """Takes a place for one more, until `place` ends. Raises `RequestRefused` (503) where there is none."""
        with self._lock:
            self._on_disk = [wire for wire in self._on_disk if wire.sending]
            if len(self._on_disk) >= MAX_ON_DISK or not self._making.acquire(blocking=False):
                detail = "The server is listing other large folders. Try again in a moment."
                raise RequestRefused(503, detail, fields=(("Retry-After", "2"),), cause="too many listings")
        place.callback(self._making.release)

    def add_on_disk(self, wire: Wire) -> None:
        """Counts a listing that waits on disk, as long as `wire.sending` is true."""
        with self._lock:
            self._on_disk.append(wire)


class ListingResponder:
    """Answers with one listing that a `Folder` has found. Any thread; usually the leader.

    `large` bounds the large listings; the responders of one server share it. `archive`: the page offers one.
    """

    __slots__ = ("_archive", "_folder", "_large", "listing")
    runs_inline = True
    computes = False

    def __init__(self, folder: Folder, listing: Listing, large: LargeListings, *, archive: bool = False) -> None:
        self._folder = folder
        self.listing = listing
        self._large = large
        self._archive = archive

    def respond(self, request: Message, reply: Reply) -> None:
        """Sends it. Raises `RequestRefused`: 404 where the folder was removed, 503 beyond the limits."""
        head = request.head
        wanted = wanted_format(head.fields.get("HTTP_ACCEPT"))
        status = 200
        if head.section.conditional:
            status = evaluate(head.method, head.fields, _NO_VALIDATORS, int(clock.time()))
        if status == 412:
            raise RequestRefused(412, "A listing has no entity tag.")
        fields = [("Vary", "Accept"), ("Cache-Control", "no-cache")]  # a 304 needs no others (RFC 9110 section 15.4.5)
        if status == 200:
            content_type = FORMATS[wanted] + ("" if wanted == "json" else "; charset=utf-8")
            fields = [("Content-Type", content_type), *fields, *_SAFETY]
        lines = own_head(status, with_rules(fields, reply.header_fields))
        # A HEAD response omits the length, which only making the listing would tell (RFC 9110 section 9.3.2).
        if head.method == "HEAD" or status == 304:
            reply.status = status
            reply.wfile.write(lines + rest_of_head(head, reply))
            return
        with contextlib.ExitStack() as place:
            everything = self._collect(place)
            view = parse_view(head.query)
            entries = filtered(everything, view.filter)
            if wanted == "json":
                pieces = json_list(entries, view)
            elif wanted == "text":
                pieces = text_list(entries, view)
            else:
                host = head.fields.get("HTTP_HOST", "")
                total, archive = len(everything), self._archive
                pieces = page(self.listing.names, entries, view, host=host, total=total, archive=archive)
            self._send(head, reply, lines, pieces)

    def _collect(self, place: contextlib.ExitStack) -> list[Entry]:
        """The entries of the folder. A large one takes a place of `LargeListings` until `place` ends."""
        real = self.listing.real
        entries: list[Entry] = []
        try:
            with self._folder.scan(real) as found:
                for number, one in enumerate(found):
                    if number == LARGE:
                        self._large.start(place)
                    entry = entry_of(self._folder, self.listing.names, real, one)
                    if entry is not None:
                        entries.append(entry)
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise out_of_descriptors(error) from error
            raise RequestRefused(404, "This folder no longer exists.") from None
        return entries

    def _send(self, head: Head, reply: Reply, lines: bytes, pieces: Iterator[bytes]) -> None:
        wire = reply.wfile
        with tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="tpserver-") as file:
            try:
                for piece in pieces:
                    file.write(piece)
                length = file.tell()
                file.seek(0)
                on_disk = os.dup(file.fileno()) if length > IN_MEMORY else -1
            except OSError as error:
                _log.error("cannot store a large listing: %s", error)
                raise RequestRefused(
                    503,
                    "The server has no room for this listing now.",
                    fields=(("Retry-After", "5"),),
                    cause="no room for listing",
                ) from None
            reply.status, reply.length = 200, length
            first = b"%bContent-Length: %d\r\n%b" % (lines, length, rest_of_head(head, reply))
            if on_disk < 0:
                wire.write(first + file.read())
                return
        wire.write(first)
        wire.write_file(on_disk, 0, length)
        self._large.add_on_disk(wire)


class Listings:
    """Chooses what answers for the folders of one server that have no index. `archives` is None without --archive."""

    def __init__(self, archives: Archives | None = None) -> None:
        self._large = LargeListings()
        self._archives = archives

    def responder(self, folder: Folder, listing: Listing, head: Head) -> Responder:
        """The responder for a listing, or for the archive of its folder. Any thread."""
        archives = self._archives
        if archives is not None and wants_archive(head.query):
            return ArchiveResponder(folder, listing, archives)
        return ListingResponder(folder, listing, self._large, archive=archives is not None)
