"""Answers with a file of a folder: validators, ranges, sending. Small ones from memory, large ones by the kernel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from tpserver.errors import RequestRefused
from tpserver.files.file import File
from tpserver.files.folder import Folder, fresh_look
from tpserver.files.variants import Variants
from tpserver.http.conditional import Validators, evaluate, matches, range_holds
from tpserver.http.grammar import CRLF, HEAD_END, OWS_TEXT
from tpserver.http.head import Head
from tpserver.http.lists import bounded
from tpserver.http.message import Message
from tpserver.http.negotiation import IDENTITY
from tpserver.http.ranges import Range, content_range, multipart, select, unsatisfied_range
from tpserver.http.response import own_head, persistence_line
from tpserver.reply import Reply
from tpserver.system.clock import clock


class FileResponder:
    """Answers with one file that a `Folder` has found. Any thread; usually the leader.

    It is made for the requests with one head in one turn of the leader.
    """

    __slots__ = ("_folder", "_marks", "_variants", "content_length", "file", "ready")
    runs_inline = True
    computes = False

    def __init__(self, folder: Folder, variants: Variants | None, file: File, marks: bytes = b"") -> None:
        """`variants` is None where files are sent in no content coding. `marks` are as `Reply.marks`."""
        self._folder = folder
        self._variants = variants
        self._marks = marks
        self.file = file  # that was found; it may be sent as one of its variants
        self.ready: bytes | None = None  # what `ready_response` has returned
        self.content_length = 0  # bytes of content in it

    def ready_response(self, head: Head, stamp: bytes) -> bytes | None:
        """Head and content of a 200 for a head that asks for all of a file in memory. None: `respond` has to answer.

        The connection is kept alive. Only the leader calls, and only in the turn that this was made for.
        """
        file = self.file
        if not head.section.simple or head.method != "GET":
            return None
        variants = self._variants
        if variants is not None and file.negotiable and file.settled is not stamp:
            file = variants.choose(file, head, stamp)
        if file.content is None:
            return None
        self.content_length = file.size
        dated = file.dated
        data = dated[1] if dated[0] is stamp else file.response(stamp)
        if self._marks:
            at = data.index(HEAD_END) + len(CRLF)
            data = b"%b%b%b" % (data[:at], self._marks, data[at:])
        self.ready = data
        return data

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What also goes with an answer that is not the file itself, such as a 416: all but Cache-Control."""
        return [field for field in self.file.fields if field[0].lower() not in ("cache-control", "vary")]

    def respond(self, request: Message, reply: Reply) -> None:
        """Answers with the file, parts of it, or a status without content. Raises `RequestRefused`."""
        head, file, variants = request.head, self.file, self._variants
        if variants is not None and file.negotiable and file.settled is not reply.stamp:
            file = variants.choose(file, head, reply.stamp)
            if file is not self.file and head.section.conditional:
                file = self._keep_representation(head, file, variants)
        self._answer(head, reply, file)

    def _keep_representation(self, head: Head, chosen: File, variants: Variants) -> File:
        """The representation whose entity tag the client names, else `chosen`.

        If it names several, the chosen one comes first.
        """
        plain = self.file
        if _names(head, chosen):
            return chosen
        if _names(head, plain):
            return plain if IDENTITY in variants.accepted(head) else chosen
        for other in variants.others(plain, head):
            if _names(head, other):
                return other
        return chosen

    def _answer(self, head: Head, reply: Reply, file: File) -> None:
        """Preconditions first, then ranges (RFC 9110 section 13.2.2), both by the representation that is sent."""
        status = 200
        if head.section.conditional:
            status = evaluate(head.method, head.fields, file.validators, int(clock.time()))
        descriptor = -1
        try:
            if status == 200 and file.content is None and head.method == "GET":
                descriptor, opened = self._open(head, file)
                if opened is not file and head.section.conditional:
                    status = evaluate(head.method, head.fields, opened.validators, int(clock.time()))
                file = opened
            if status == 412:
                raise RequestRefused(412, "The file is not what the request takes it to be.")
            if status == 304:
                reply.status = 304
                reply.wfile.write(file.unmodified + rest_of_head(head, reply))
            elif _send(head, reply, file, descriptor, self._conditions(head, file)):
                descriptor = -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _conditions(self, head: Head, file: File) -> Validators:
        """The validators that If-Range is compared with.

        All variants of a file may have one date, which then does not tell them apart, and so is a weak validator (RFC
        9110 sections 8.8.1 and 13.1.5), unless the client accepts none but the plain file.
        """
        variants = self._variants
        if variants is not None and file.varies and any(coding != IDENTITY for coding in variants.accepted(head)):
            return file.validators._replace(last_modified=None)
        return file.validators

    def _open(self, head: Head, file: File) -> tuple[int, File]:
        with suppress(OSError):
            return self._folder.open(file)
        # A folder on the way was renamed, or a link leads elsewhere.
        self._folder.forget(head.path)
        again = self._folder.find(head.path, fresh_look())
        with suppress(OSError):
            if isinstance(again, File):
                return self._folder.open(again)
        raise RequestRefused(404, "There is no such file any more.")


def _send(head: Head, reply: Reply, file: File, descriptor: int, conditions: Validators) -> bool:
    """Sends the file, or the ranges of it that are asked for; whether `descriptor` has been passed on.

    `conditions` are the validators that If-Range is compared with. Raises `RequestRefused` (416). HEAD gets the head of
    a GET without ranges.
    """
    ranges = _ranges(head, file, conditions)
    if ranges is None:
        return send_parts(head, reply, 200, file.lines, file, descriptor)
    between: list[bytes] = []
    if len(ranges) == 1:
        about = [("Content-Type", file.media_type), ("Content-Range", content_range(ranges[0], file.size))]
    else:
        boundary = os.urandom(16).hex()
        between = multipart(ranges, file.size, file.media_type, boundary)
        about = [("Content-Type", f"multipart/byteranges; boundary={boundary}")]
    length = sum(part.length for part in ranges) + sum(map(len, between))
    lines = own_head(206, [*about, ("Content-Length", str(length)), *file.about])
    return send_parts(head, reply, 206, lines, file, descriptor, ranges, between)


def send_parts(
    head: Head,
    reply: Reply,
    status: int,
    lines: bytes,
    file: File,
    descriptor: int,
    ranges: Sequence[Range] | None = None,
    between: Sequence[bytes] = (),
) -> bool:
    """Sends a response with ranges of a file, or all of it; whether `descriptor` has been passed on.

    `lines` is the response's head but for its end, `between` what goes around several ranges. A file that is not in
    memory is not loaded: the connection gets pieces of `descriptor`, and closes it.
    """
    wire = reply.wfile
    first = lines + rest_of_head(head, reply)
    reply.status = status
    if head.method == "HEAD":
        wire.write(first)
        return False
    if ranges is None:
        ranges = [Range(0, file.size - 1)] if file.size else []
    reply.length = sum(part.length for part in ranges) + sum(map(len, between))
    if file.content is not None:
        parts = [file.content[part.first : part.last + 1] for part in ranges]
        for number, text in enumerate(between):
            parts.insert(2 * number, text)
        wire.write(b"".join([first, *parts]))
        return False
    wire.write(first)
    version = (file.modified, file.size)
    for number, part in enumerate(ranges):
        if between:
            wire.write(between[number])
        wire.write_file(descriptor, part.first, part.length, version=version, more=number + 1 < len(ranges))
    if between:
        wire.write(between[-1])
    return bool(ranges)


def _ranges(head: Head, file: File, conditions: Validators) -> list[Range] | None:
    """The ranges that are asked for, None for the whole file. Raises `RequestRefused` (416)."""
    wanted = _range_field(head) if head.section.conditional else None
    if wanted is None:
        return None
    condition = head.fields.get("HTTP_IF_RANGE")
    if condition is not None and not range_holds(condition, conditions, int(clock.time())):
        return None
    if file.made and not _names(head, file):
        # A client that has the length from HEAD, or began before the coding was made, could join parts of two
        # representations without noticing it: it gets all of one.
        return None
    ranges = select(wanted, file.size)
    if ranges is not None and not ranges:
        fields = (("Content-Range", unsatisfied_range(file.size)),)
        raise RequestRefused(416, f"The file has {file.size} bytes, and none in the range asked for.", fields=fields)
    if ranges is not None and len(ranges) > 1 and file.coding:
        return None  # Content-Encoding would be ambiguous: the coding of the parts, or of the multipart
    return ranges


def _range_field(head: Head) -> str | None:
    """The Range field of a GET. Other methods ignore it (RFC 9110 section 14.2)."""
    return head.fields.get("HTTP_RANGE") if head.method == "GET" else None


def rest_of_head(head: Head, reply: Reply) -> bytes:
    """What follows the other field lines of a head: Date, Server, `Reply.marks`, Connection, and the empty line."""
    return reply.stamp + reply.marks + persistence_line(head.protocol, reply.keep_alive) + CRLF


def _names(head: Head, file: File) -> bool:
    """Whether a condition names the entity tag of `file`."""
    etag = file.validators.etag
    if head.method == "GET" and head.fields.get("HTTP_IF_RANGE") == etag:
        return True
    for name, weak in (("HTTP_IF_NONE_MATCH", True), ("HTTP_IF_MATCH", False)):
        tags = bounded(head.fields.get(name))
        if tags is not None and tags.strip(OWS_TEXT) != "*" and matches(tags, etag, weak=weak):
            return True
    return False
