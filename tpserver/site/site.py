"""Chooses what answers a request: an existing file first, then the application, else the server itself."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.files.file import File
from tpserver.files.folder import Folder, fresh_look
from tpserver.files.found import Listing, Redirect
from tpserver.files.named_pages import is_page
from tpserver.files.redirects import Redirects, query_of
from tpserver.files.responder import FileResponder, send_parts
from tpserver.files.rules import HeaderRules
from tpserver.files.variants import Variants
from tpserver.http.cors import CrossOrigin, is_preflight
from tpserver.http.grammar import BAD_PERCENT
from tpserver.http.head import Head
from tpserver.http.message import Message
from tpserver.http.negotiation import accepts_html
from tpserver.http.pages import VARY
from tpserver.http.response import own_head
from tpserver.reply import Reply, Responder
from tpserver.site.fallback import FallbackResponder
from tpserver.wsgi.responder import WSGIResponder

_ALLOW: Final = (("Allow", "GET, HEAD, OPTIONS"),)
_ALLOW_APPLICATION: Final = (("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)
# RFC 9110 section 9.1 and RFC 5789.
_REGISTERED: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_NOT_FOUND: Final = "There is nothing at this address."


class PageResponder:
    """Answers with a status of the server's own: a redirect, the methods that are allowed, or a refusal."""

    __slots__ = ("_cause", "_detail", "_fields", "_status")
    runs_inline = True
    computes = False

    def __init__(self, status: int, detail: str, fields: tuple[tuple[str, str], ...], cause: str = "") -> None:
        self._cause = cause
        self._status = status
        self._detail = detail
        self._fields = fields

    def respond(self, request: Message, reply: Reply) -> None:
        """As `Responder.respond`. Any thread."""
        reply.page(self._status, self._detail, self._fields, self._cause)


class Site:
    """A folder, an application, or both, for one host or for all. `find` is for the leader; the rest for any thread.

    `host` is the pattern of its virtual host, "" for the default. `spa` is the path below `folder` of the file that
    answers for pages which neither the folder nor the application has (single-page application); `error_pages` maps
    statuses to the paths of their files. `variants` as `FileResponder`. `listing` makes the
    responder of a listing; there is one where `folder` finds any. `around` is the site that this one is mounted in: its
    error pages stand in for those that this one lacks. `redirects` come before everything else.
    """

    def __init__(
        self,
        folder: Folder | None,
        application: WSGIResponder | None,
        *,
        host: str = "",
        spa: str | None = None,
        error_pages: Mapping[int, str] | None = None,
        variants: Variants | None = None,
        listing: Callable[[Folder, Listing, Head], Responder] | None = None,
        headers: HeaderRules | None = None,
        cors: CrossOrigin | None = None,
        around: Site | None = None,
        redirects: Redirects | None = None,
    ) -> None:
        self.host = host
        self.application = application
        self._folder = folder
        self._variants = variants
        self._listing = listing
        self._error_pages = error_pages or {}
        self._headers = headers or HeaderRules(())
        self._cors = cors
        # RFC 9110 section 9.3.7: for `*`, the methods of the whole server.
        self._options = PageResponder(204, "", _ALLOW if application is None else _ALLOW_APPLICATION)
        self._around = around
        self._redirects = redirects
        self._spa = spa
        self._spa_page = functools.lru_cache(1)(_as_spa_page)
        # Asked first, where there is an application.
        self._spa_behind = None if application is None else FallbackResponder(application, self._respond_spa)

    def find(self, head: Head, turn: int) -> Responder:
        """What answers requests with this head in this turn. Raises `RequestRefused`.

        A path that ends in `.py` is always the application's, and so is every method but GET and
        HEAD where there is an application. `turn` as `Folder.find`.
        """
        folder, method, found = self._folder, head.method, None
        if head.path == "*":
            return self._options
        reads = method in ("GET", "HEAD")
        preflight = self._cors is not None and is_preflight(method, head.fields)
        if self._redirects is not None and reads:
            moved = self._moved(self._redirects, head)
            if moved is not None:
                return moved
        if folder is not None and (reads or self.application is None or preflight):
            found = folder.find(head.path, turn)
            if reads:
                if isinstance(found, File):
                    marks = b"" if self._cors is None else self._cors.lines(head.fields)
                    return FileResponder(folder, self._variants, found, marks)
                if isinstance(found, Listing):
                    assert self._listing is not None
                    return self._listing(folder, found, head)
                if found is not None:
                    return _redirect(found, head)
                if self._spa is not None and is_page(head):
                    page = self._find_spa(folder, self._spa, turn)
                    if page is not None:
                        return self._spa_behind or FileResponder(
                            folder, self._variants, self._with_headers(page, head), self.marks(head)
                        )
        if preflight and (found is not None or self.application is None):
            return self._preflight(head)
        if self.application is not None:
            return self.application
        if method not in _REGISTERED:
            raise RequestRefused(501, "This server does not know that method.")
        if found is None:
            # An application is given such a path as it is written; a folder has no use for it, as nginx.
            if "%" in head.path and BAD_PERCENT.search(head.target.partition("?")[0]):
                raise RequestRefused(400, "A percent sign in the path is not followed by two hex digits.")
            raise RequestRefused(404, _NOT_FOUND)
        if method == "OPTIONS":
            return self._options
        raise RequestRefused(405, "A file can be read, not written.", fields=_ALLOW)

    @property
    def application_alone(self) -> tuple[Site, WSGIResponder] | None:
        """This site and its application, where that answers whatever `find` is asked for but `*`."""
        if self.application is None or self._folder is not None or self._redirects is not None:
            return None
        return self, self.application

    @property
    def has_folder(self) -> bool:
        """Whether files are looked for."""
        return self._folder is not None

    def find_in_memory(self, head: Head, *, everywhere: bool) -> Responder:
        """As `find`, where the disk of a file hangs: looks at what is in memory only. Raises `RequestRefused` (503).

        Where the whole folder hangs (`everywhere`) an application answers for what is not known to be a file.
        """
        folder = self._folder
        if folder is not None and head.method in ("GET", "HEAD"):
            moved = None if self._redirects is None else self._moved(self._redirects, head)
            if moved is not None:
                return moved
            file = folder.remembered(head.path)
            if file is not None and file.content is not None:
                return FileResponder(folder, None, file, self.marks(head))
            if self.application is not None and everywhere and file is None:
                return self.application
        elif self.application is not None:
            return self.application
        detail = "The disk with this file does not answer now."
        raise RequestRefused(503, detail, fields=(("Retry-After", "5"),), cause="disk hangs")

    def error_page(self, head: Head, reply: Reply, status: int, fields: tuple[tuple[str, str], ...]) -> bool:
        """Answers with the site's file for `status`. False: it has none, or the client takes no HTML.

        `fields` are those that belong to the status (Allow, Content-Range). The file's validators and Cache-Control
        are left out: they describe the page, and this response belongs to another address.
        """
        path = self._error_pages.get(status)
        if path is None or not accepts_html(head.fields.get("HTTP_ACCEPT")):
            return False
        opened = self._open_page(path)
        if opened is None:
            return False
        descriptor, file = opened
        size = [("Content-Type", file.media_type), ("Content-Length", str(file.size))]
        if file.coding:
            size.append(("Content-Encoding", file.coding))
        given = {"cache-control", *[name.lower() for name, _ in fields]}
        about = [VARY, *(field for field in file.fields if field[0].lower() not in given)]
        lines = own_head(status, [*size, *about, *fields])
        if not send_parts(head, reply, status, lines, file, descriptor) and descriptor >= 0:
            os.close(descriptor)
        return True

    def marks(self, head: Head) -> bytes:
        """As `Reply.marks`, for a request with this head."""
        return b"" if self._cors is None else self._cors.lines(head.fields)

    def header_fields(self, head: Head) -> list[tuple[str, str]]:
        """As `Reply.header_fields`, for a request with this head."""
        return self._headers.fields(head.path)

    def fields_of(self, head: Head, responder: Responder) -> list[tuple[str, str]]:
        """The fields of `--header` for an answer of the server's own in place of that of `responder`."""
        fields = self.header_fields(head)
        if isinstance(responder, FileResponder):  # the index of a folder has another path
            names = {name.lower() for name, _ in fields}
            fields += [field for field in responder.fields if field[0].lower() not in names]
        return fields

    def _open_page(self, path: str) -> tuple[int, File] | None:
        """An error page of this site, or of the one around it, and a descriptor of a large one, else -1."""
        folder = self._folder
        try:
            file = None if folder is None else folder.find(folder.prefix + path, fresh_look())
            if folder is not None and isinstance(file, File):
                return folder.open(file) if file.content is None else (-1, file)
        except (OSError, RequestRefused):  # the short page needs no file
            return None
        return None if self._around is None else self._around._open_page(path)

    def _moved(self, redirects: Redirects, head: Head) -> PageResponder | None:
        location = redirects.location(head)
        if location is None:
            return None
        return PageResponder(302, "This address leads to another one.", (("Location", location),))

    def _preflight(self, head: Head) -> PageResponder:
        assert self._cors is not None
        return PageResponder(204, "", (*_ALLOW, *self._cors.preflight(head.fields)))

    def _with_headers(self, page: File, head: Head) -> File:
        """A page that answers for other addresses, with the fields of `--header` for this one."""
        fields = self.header_fields(head)
        names = {name.lower() for name, _ in fields}
        kept = [field for field in page.fields if field[0].lower() not in names or field == VARY]
        return page.altered(fields=(*kept, *fields)) if fields else page

    def _respond_spa(self, request: Message, reply: Reply) -> None:
        folder, spa = self._folder, self._spa
        assert folder is not None
        assert spa is not None
        page = self._find_spa(folder, spa, fresh_look())  # the application has taken its time
        if page is None:
            raise RequestRefused(404, _NOT_FOUND)
        FileResponder(folder, self._variants, self._with_headers(page, request.head)).respond(request, reply)

    def _find_spa(self, folder: Folder, spa: str, turn: int) -> File | None:
        """Any thread: what two threads make at once is equal."""
        file = folder.find(folder.prefix + spa, turn)
        if not isinstance(file, File):
            return None
        page = self._spa_page(file)
        page.turn = file.turn
        return page


def _as_spa_page(file: File) -> File:
    """The file as it answers for other addresses: there a client that takes no HTML gets another response."""
    return file.altered(fields=(*file.fields, VARY))  # RFC 9110 section 12.5.5


def _redirect(redirect: Redirect, head: Head) -> PageResponder:
    """To the folder's address with a slash at the end."""
    fields = (("Location", redirect.location(head) + query_of(head)),)
    return PageResponder(301, "The folder has its address with a slash at the end.", fields)


class MisdirectedSite(Site):
    """Stands for hosts that the server does not answer for (RFC 9110 section 15.5.20)."""

    def __init__(self, headers: HeaderRules | None = None, cors: CrossOrigin | None = None) -> None:
        super().__init__(None, None, headers=headers, cors=cors)

    def find(self, head: Head, turn: int) -> Responder:
        """Raises `RequestRefused` (421)."""
        raise RequestRefused(421, "This server does not answer for that host.")
