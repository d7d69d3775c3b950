"""Files of a folder: finding, validating, sending. Small ones from memory, large ones by the kernel."""

from __future__ import annotations

import os
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.http.conditional import evaluate
from tpserver.http.message import Message
from tpserver.http.response import persistence_line
from tpserver.responders.file import File
from tpserver.responders.folder import Folder
from tpserver.responders.reply import Reply

ALLOW: Final = "GET, HEAD, OPTIONS"
# RFC 9110 section 9.1 and RFC 5789.
REGISTERED: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


class FileResponder:
    """Answers with one file that a `Folder` has found. Any thread; the leader as a rule."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def respond(self, request: Message, reply: Reply, file: File) -> None:
        head = request.head
        if head.method == "GET":
            if not head.conditional and file.content is not None and reply.keep_alive and head.protocol == "HTTP/1.1":
                reply.status = 200
                reply.length = file.size
                reply.wfile.write(file.whole(reply.stamp))
                return
        elif head.method == "OPTIONS":
            reply.page(204, "", (("Allow", ALLOW),))
            return
        else:
            refuse_method(head.method, known_path=True)
        status = evaluate(head.method, head.fields, file.validators) if head.conditional else 200
        reply.status = status
        if status == 412:
            raise RequestRefused(412, "The file is not what the request takes it to be.")
        if status == 304:
            reply.wfile.write(
                file.unmodified + reply.stamp + persistence_line(head.protocol, reply.keep_alive) + b"\r\n"
            )
            return
        self._send(request, reply, file)

    def _send(self, request: Message, reply: Reply, file: File) -> None:
        head = request.head
        content, size, lines = file.content, file.size, file.lines
        descriptor = -1
        if content is None and head.method == "GET":
            try:
                descriptor, opened = self._folder.open(file)
            except OSError:
                raise RequestRefused(404, "There is no such file any more.") from None
            size, lines = opened.size, opened.lines
        reply.wfile.write(lines + reply.stamp + persistence_line(head.protocol, reply.keep_alive) + b"\r\n")
        if head.method == "HEAD":
            return
        reply.length = size
        if content is not None:
            reply.wfile.write(content)
        elif size:
            reply.wfile.write_file(descriptor, 0, size)
        else:
            os.close(descriptor)


def refuse_method(method: str, *, known_path: bool) -> None:
    """Raises for a method that no file answers to: 405 where there is one, 501 where nobody knows the method."""
    if method not in REGISTERED:
        raise RequestRefused(501, "This server does not know that method.")
    if known_path and method not in ("GET", "HEAD"):
        raise RequestRefused(405, "A file can be read, not written.", fields=(("Allow", ALLOW),))
