"""Answers with a zip archive of a folder, while it is made: what its listing shows, and those of the folders in it."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from io import FileIO
from typing import Final, NamedTuple
from urllib.parse import quote

from tpserver.errors import RequestRefused
from tpserver.files.codings import compressible
from tpserver.files.file import File
from tpserver.files.folder import EXHAUSTED, Folder, fresh_look
from tpserver.files.found import Listing
from tpserver.files.listing_entries import entry_of
from tpserver.files.media import media_type
from tpserver.files.responder import rest_of_head
from tpserver.files.zip_stream import NO_COMPRESSION, ZipStream
from tpserver.http.head import Head
from tpserver.http.message import Message
from tpserver.http.response import CHUNKED_LINE, LAST_CHUNK, chunk, own_head, with_rules
from tpserver.logs.log import Log
from tpserver.reply import Reply

_log = Log("tpserver")

_WANTED: Final = re.compile(r"(?:^|&)archive=zip(?:&|$)")

# Most archives that are made at once. Each has a thread of the pool as long as its client reads; one more gets 503.
AT_ONCE: Final = 2
# Bytes that are read and sent at a time.
PIECE: Final = 64 * 1024
# Bytes of the largest directory of an archive that stays in memory.
IN_MEMORY: Final = 1024 * 1024
# Most folders that are known and not yet in the archive. It is broken off beyond that: they are in memory.
MAX_PENDING: Final = 100_000
# The level of deflate: texts get much smaller even with the fastest.
_LEVEL: Final = 1


def wants_archive(query: str) -> bool:
    """Whether a raw query, without its "?", asks for an archive."""
    return _WANTED.search(query) is not None


class Archives:
    """Bounds the archives of one server that are made at once. Any thread."""

    def __init__(self) -> None:
        self._places = threading.Semaphore(AT_ONCE)

    def start(self) -> None:
        """Takes a place, which `end` gives back. Raises `RequestRefused` (503) where there is none."""
        if not self._places.acquire(blocking=False):
            detail = "The server is making other archives. Try again in a moment."
            raise RequestRefused(503, detail, fields=(("Retry-After", "30"),), cause="too many archives")

    def end(self) -> None:
        """Gives a place back."""
        self._places.release()


class _Found(NamedTuple):
    """A file or folder of an archive: its name there, and its path on this system, "" for a folder."""

    name: str
    path: str
    modified: int


class ArchiveResponder:
    """Answers with the archive of one folder without an index. Runs as a request of the application does.

    Nothing is known of its length, so it is sent in chunks. What fails on the way resets the connection: no client
    takes a part of an archive for the whole.
    """

    __slots__ = ("_archives", "_folder", "listing")
    runs_inline = False
    computes = False

    def __init__(self, folder: Folder, listing: Listing, archives: Archives) -> None:
        self._folder = folder
        self.listing = listing
        self._archives = archives

    def respond(self, request: Message, reply: Reply) -> None:
        """Sends it. Waits for the client. Raises `RequestRefused` (503) beyond the limit."""
        head = request.head
        name = self.listing.names[-1] if self.listing.names else "files"
        fields = [
            ("Content-Type", "application/zip"),
            ("Content-Disposition", _disposition(name)),
            ("Cache-Control", "no-cache"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        lines = own_head(200, with_rules(fields, reply.header_fields))
        self._archives.start()
        try:
            self._send(head, reply, lines)
        finally:
            self._archives.end()

    def _send(self, head: Head, reply: Reply, lines: bytes) -> None:
        wire, chunked = reply.wfile, head.protocol == "HTTP/1.1"
        if chunked:
            lines += CHUNKED_LINE
        else:
            reply.keep_alive = False  # the end of the connection is the end of the content
        reply.status = 200
        reply.streams = True
        wire.write(lines + rest_of_head(head, reply))
        if head.method == "HEAD":
            return
        try:
            for piece in _joined(self._pieces()):
                wire.send(chunk(piece) if chunked else piece)
                reply.length += len(piece)
            if chunked:
                wire.write(LAST_CHUNK)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the client must see that something is missing
            reply.keep_alive = False
            if wire.broken:
                _log.debug("%s %s: the client has gone", head.method, head.target)
                return
            wire.reset()
            reason = error.detail if isinstance(error, RequestRefused) else str(error) or type(error).__name__
            _log.error("%s %s: the archive is broken off: %s", head.method, head.target, reason)

    def _pieces(self) -> Iterator[bytes]:
        """The bytes of the archive. Raises OSError, and `RequestRefused` where descriptors are exhausted."""
        with tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="tpserver-") as directory:
            archive = ZipStream(directory)  # type: ignore[arg-type]
            for found in self._walk():
                if not found.path:
                    yield archive.folder(found.name, found.modified)
                    continue
                try:
                    descriptor, status = self._folder.open_entry(found.path)
                except OSError:  # removed meanwhile
                    continue
                level = _LEVEL if compressible(media_type(found.name)) else NO_COMPRESSION
                modified = status.st_mtime_ns // 1_000_000_000
                with open(descriptor, "rb", buffering=0) as file:
                    content = _read(file, status.st_size)
                    yield from archive.file(found.name, modified, status.st_size, level, content)
            yield from archive.end()

    def _walk(self) -> Iterator[_Found]:
        """What the listings show, each folder before what is in it. Raises OSError where there are too many folders.

        A folder with an index shows only that. A link to a folder is followed where none of it is in the archive.
        """
        folder, top = self._folder, self.listing
        # Names from the top; the real path, if it is no link; the date.
        pending: list[tuple[tuple[str, ...], str, int]] = [((), top.real, 0)]
        real_tops: list[str] = []
        while pending:
            names, expected, modified = pending.pop()
            path = "/".join(["", *top.names, *names, ""])
            shown = folder.find(path.encode("utf-8", "surrogateescape").decode("latin-1"), fresh_look())
            if self._is_for_others(top, path, shown):
                continue
            if isinstance(shown, File):  # its index
                name = "/".join(names)
                yield _Found(name, "", modified)
                yield _Found(f"{name}/{os.path.basename(shown.name)}", shown.name, modified)
            if not isinstance(shown, Listing):
                continue
            if not names or shown.real != expected:
                if any(_overlap(shown.real, other) for other in real_tops):
                    continue
                real_tops.append(shown.real)
            if names:
                yield _Found("/".join(names), "", modified)
            yield from self._files(names, shown.real, pending)

    def _is_for_others(self, top: Listing, path: str, shown: object) -> bool:
        """Whether a folder at `path`, or its index, is protected otherwise than the one that the archive is of."""
        protection = self._folder.protection
        if protection is None:
            return False
        root, places = self._folder.real_root, [path]
        if isinstance(shown, File):
            places += [self._folder.place(shown.name), self._folder.place(shown.real, root)]
        if isinstance(shown, Listing):
            places.append(self._folder.place(shown.real, root))
        return protection.conceals("/".join(top.names), places)

    def _files(
        self, names: tuple[str, ...], real: str, pending: list[tuple[tuple[str, ...], str, int]]
    ) -> Iterator[_Found]:
        """The files of one folder; its folders are added to `pending`."""
        try:
            with self._folder.scan(real) as entries:
                for one in entries:
                    entry = entry_of(self._folder, (*self.listing.names, *names), real, one)
                    if entry is None:
                        continue
                    name, is_folder, _, modified = entry
                    place = os.path.join(real, name)
                    if not is_folder:
                        yield _Found("/".join([*names, name]), place, modified)
                    elif len(pending) < MAX_PENDING:
                        pending.append(((*names, name), place, modified))
                    else:
                        raise RequestRefused(503, "too many folders")
        except OSError as error:  # removed meanwhile, or it cannot be read
            if error.errno in EXHAUSTED:
                raise


def _overlap(one: str, other: str) -> bool:
    """Whether one of two real paths is the other one, or below it."""
    one, other = os.path.join(one, ""), os.path.join(other, "")
    return one.startswith(other) or other.startswith(one)


def _read(file: FileIO, size: int) -> Iterator[bytes]:
    """The first `size` bytes: a file may grow while it is read."""
    while size > 0 and (piece := file.read(min(size, PIECE))):
        size -= len(piece)
        yield piece


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, in pieces of PIECE or more but for the last one."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= PIECE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def _disposition(name: str) -> str:
    """The value of a Content-Disposition field (RFC 6266) for an archive of the folder `name`."""
    plain = re.sub(r"[^A-Za-z0-9 !#$&+\-.^_`~()]", "_", name)
    return f"attachment; filename=\"{plain}.zip\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), '')}.zip"
