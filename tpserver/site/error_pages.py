"""Files for the server's own error responses, instead of its short pages."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tpserver.errors import RequestRefused
from tpserver.files.file import File
from tpserver.files.folder import Folder, fresh_look
from tpserver.files.responder import rest_of_head
from tpserver.http.head import Head
from tpserver.http.negotiation import accepts_html
from tpserver.http.pages import VARY
from tpserver.http.response import own_head
from tpserver.reply import Reply


class ErrorPages:
    """`pages` maps a status to the path of its file in `folder`, as a request would give it. Threads share it."""

    def __init__(self, folder: Folder, pages: Mapping[int, str]) -> None:
        self._folder = folder
        self._pages = pages

    def respond(self, head: Head, reply: Reply, status: int, fields: tuple[tuple[str, str], ...]) -> bool:
        """Answers with the file for `status`; False where there is none, or the client takes no HTML.

        `fields` are those that belong to the status (Allow, Content-Range). The file's validators and Cache-Control
        are left out: they describe the page, and this response belongs to another address.
        """
        path = self._pages.get(status)
        if path is None or not accepts_html(head.fields.get("HTTP_ACCEPT")):
            return False
        descriptor = -1
        try:
            file = self._folder.find(path, fresh_look())
            if not isinstance(file, File):
                return False
            if file.content is None:
                descriptor, file = self._folder.open(file)
        except (OSError, RequestRefused):  # the short page needs no file
            return False
        about = [VARY, *(field for field in file.fields if field[0].lower() != "cache-control")]
        size = [("Content-Type", file.media_type), ("Content-Length", str(file.size))]
        if file.coding:
            size.append(("Content-Encoding", file.coding))
        lines = own_head(status, [*size, *about, *fields])
        reply.status = status
        reply.wfile.write(lines + rest_of_head(head, reply))
        if head.method == "HEAD" or not file.size:
            if descriptor >= 0:
                os.close(descriptor)
            return True
        reply.length = file.size
        if file.content is None:
            reply.wfile.write_file(descriptor, 0, file.size, version=(file.modified, file.size))
        else:
            reply.wfile.write(file.content)
        return True
