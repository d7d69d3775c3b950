"""Files of a folder: validating, ranges, sending. Small ones from memory, large ones by the kernel."""

from __future__ import annotations

import os
import time
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.files.file import File
from tpserver.files.folder import Folder, fresh_look
from tpserver.files.variants import Variants
from tpserver.http.conditional import Validators, evaluate, matches, range_holds
from tpserver.http.grammar import CRLF, OWS_TEXT
from tpserver.http.head import Head
from tpserver.http.message import Message
from tpserver.http.ranges import Range, content_range, multipart, select, unsatisfied_range
from tpserver.http.response import own_head, persistence_line
from tpserver.reply import Reply, Wire

ALLOW: Final = "GET, HEAD, OPTIONS"
# RFC 9110 section 9.1 and RFC 5789.
REGISTERED: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


class FileResponder:
    """Answers with one file that a `Folder` has found. Any thread; the leader as a rule."""

    def __init__(self, folder: Folder, variants: Variants | None = None) -> None:
        self._folder = folder
        self._variants = variants  # chooses among content codings, where there shall be any

    def ready(self, head: Head, file: File, stamp: bytes) -> tuple[bytes, int] | None:
        """The whole answer to a `simple` head, and the bytes of its content; None for a file that is not in memory."""
        file = self._represent(head, file, stamp)
        return None if file.content is None else (file.whole(stamp), file.size)

    def respond(self, request: Message, reply: Reply, file: File) -> None:
        head = request.head
        if head.method == "OPTIONS":
            reply.page(204, "", (("Allow", ALLOW),))
            return
        if head.method != "GET":
            refuse_method(head.method, known_path=True)
        self._answer(head, reply, self._represent(head, file, reply.stamp))

    def _represent(self, head: Head, file: File, stamp: bytes) -> File:
        """Chooses among the content codings of `file`."""
        if self._variants is not None and file.negotiable and file.settled is not stamp:
            chosen = self._variants.choose(file, head, stamp)
            if chosen is not file:
                return self._held(head, file, chosen) if head.conditional else chosen
        return file

    def _held(self, head: Head, plain: File, chosen: File) -> File:
        """The representation that the client has, or has a part of: it shall not get another one that came since.

        Who names the chosen variant's tag has that, whatever else it has. A part of what the server has made is for
        those alone: who asks for one without a tag may have begun before there was a variant.
        """
        assert self._variants is not None
        if _names(head, chosen):
            return chosen
        if _names(head, plain):
            return plain if self._variants.takes_plain(head) else chosen
        for other in self._variants.others(plain, head):
            if _names(head, other):
                return other
        part = "HTTP_RANGE" in head.fields and "HTTP_IF_RANGE" not in head.fields
        return plain if part and chosen.name == plain.name else chosen

    def _answer(self, head: Head, reply: Reply, file: File) -> None:
        """Preconditions first, then ranges (RFC 9110 section 13.2.2), both by what is then sent."""
        status = evaluate(head.method, head.fields, file.validators, int(time.time())) if head.conditional else 200
        descriptor = -1
        try:
            if status == 200 and file.content is None and head.method == "GET":
                descriptor, opened = self._open(head, file)
                if opened is not file and head.conditional:
                    status = evaluate(head.method, head.fields, opened.validators, int(time.time()))
                file = opened
            if status == 412:
                raise RequestRefused(412, "The file is not what the request takes it to be.")
            if status == 304:
                reply.status = 304
                reply.wfile.write(file.unmodified + _rest_of_head(head, reply))
            elif _send(head, reply, file, descriptor, self._conditions(head, file)):
                descriptor = -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _conditions(self, head: Head, file: File) -> Validators:
        """What If-Range is compared with.

        All variants of a file may have one date, which then does not tell them apart, and so is a weak validator (RFC
        9110 sections 8.8.1 and 13.1.5): unless the client takes none but the plain file.
        """
        if self._variants is not None and file.varies and self._variants.takes_others(head):
            return file.validators._replace(last_modified=None)
        return file.validators

    def _open(self, head: Head, file: File) -> tuple[int, File]:
        try:
            return self._folder.open(file)
        except OSError:
            pass  # a folder on the way has another name by now, or a link leads elsewhere
        try:
            self._folder.forget(head.path)
            again = self._folder.find(head.path, fresh_look())
            if isinstance(again, File):
                return self._folder.open(again)
        except OSError:
            pass
        raise RequestRefused(404, "There is no such file any more.")


def _send(head: Head, reply: Reply, file: File, descriptor: int, conditions: Validators) -> bool:
    """Sends the file, or the ranges of it that are asked for; whether `descriptor` has been passed on.

    `conditions` is what If-Range is compared with. Raises `RequestRefused` (416). HEAD gets the head that GET would.
    """
    ranges = _ranges(head, file, conditions)
    between: list[bytes] = []  # what frames the ranges, where they are several
    if ranges is None:
        reply.status, lines, length = 200, file.lines, file.size
        ranges = [Range(0, file.size - 1)] if file.size else []
    else:
        reply.status = 206
        if len(ranges) == 1:
            about = [("Content-Type", file.media_type), ("Content-Range", content_range(ranges[0], file.size))]
        else:
            boundary = os.urandom(16).hex()
            between = multipart(ranges, file.size, file.media_type, boundary)
            about = [("Content-Type", f"multipart/byteranges; boundary={boundary}")]
        length = sum(part.length for part in ranges) + sum(map(len, between))
        lines = own_head(206, [*about, ("Content-Length", str(length)), *file.about])
    first = lines + _rest_of_head(head, reply)
    if head.method == "HEAD":
        reply.wfile.write(first)
        return False
    reply.length = length
    if file.content is not None:
        reply.wfile.write(first + _joined(file.content, ranges, between))
        return False
    reply.wfile.write(first)
    return _write_pieces(reply.wfile, file, descriptor, ranges, between)


def _joined(content: bytes, ranges: list[Range], between: list[bytes]) -> bytes:
    parts = [content[part.first : part.last + 1] for part in ranges]
    for number, text in enumerate(between):
        parts.insert(2 * number, text)
    return b"".join(parts)


def _write_pieces(wire: Wire, file: File, descriptor: int, ranges: list[Range], between: list[bytes]) -> bool:
    """Nothing of the file is loaded, and all of its pieces share the one descriptor; whether that was passed on."""
    version = (file.modified, file.size)
    for number, part in enumerate(ranges):
        if between:
            wire.write(between[number])
        wire.write_file(descriptor, part.first, part.length, version=version, more=number + 1 < len(ranges))
    if between:
        wire.write(between[-1])
    return bool(ranges)


def _ranges(head: Head, file: File, conditions: Validators) -> list[Range] | None:
    """What is asked for of the file, None for all of it. Raises `RequestRefused` (416)."""
    wanted = head.fields.get("HTTP_RANGE") if head.conditional else None
    if wanted is None:
        return None
    condition = head.fields.get("HTTP_IF_RANGE")
    if condition is not None and not range_holds(condition, conditions, int(time.time())):
        return None
    ranges = select(wanted, file.size)
    if ranges is not None and not ranges:
        fields = (("Content-Range", unsatisfied_range(file.size)),)
        raise RequestRefused(416, f"The file has {file.size} bytes, and none where they are asked for.", fields=fields)
    if ranges is not None and len(ranges) > 1 and file.coding:
        return None  # whether Content-Encoding would be the parts' or the multipart's is for nobody to guess
    return ranges


def _rest_of_head(head: Head, reply: Reply) -> bytes:
    return reply.stamp + persistence_line(head.protocol, reply.keep_alive) + CRLF


def _names(head: Head, file: File) -> bool:
    """Whether a condition names the entity tag of `file`."""
    etag = file.validators.etag
    if head.fields.get("HTTP_IF_RANGE") == etag:
        return True
    for name, weak in (("HTTP_IF_NONE_MATCH", True), ("HTTP_IF_MATCH", False)):
        tags = head.fields.get(name)
        if tags is not None and tags.strip(OWS_TEXT) != "*" and matches(tags, etag, weak=weak):
            return True
    return False


def refuse_method(method: str, *, known_path: bool) -> None:
    """Raises for a method that no file answers to: 405 where there is one, 501 where nobody knows the method."""
    if method not in REGISTERED:
        raise RequestRefused(501, "This server does not know that method.")
    if known_path and method not in ("GET", "HEAD"):
        raise RequestRefused(405, "A file can be read, not written.", fields=(("Allow", ALLOW),))
