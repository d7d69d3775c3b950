"""Who answers: an existing file first, then the application, else a page that says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from tpserver.errors import RequestRefused
from tpserver.files.file import File
from tpserver.files.folder import Folder, Listing, Redirect, fresh_look
from tpserver.files.listing_responder import LargeListings, ListingResponder
from tpserver.files.named_pages import is_page
from tpserver.files.paths import is_program
from tpserver.files.responder import ALLOW, FileResponder, refuse_method
from tpserver.http.head import Head
from tpserver.http.message import Message
from tpserver.reply import Reply
from tpserver.site.error_pages import ErrorPages
from tpserver.site.fallback import FallbackResponder
from tpserver.wsgi.responder import WSGIResponder

_ALLOW_APPLICATION = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_NOT_FOUND = "There is nothing at this address."
# What a query may hold (RFC 3986 section 3.4), the percent sign of what is escaped already, and the brackets, which
# everybody sends and understands as they are.
_QUERY: Final = "%/?:@!$&'()*+,;=-._~[]"


class Site:
    """A folder, an application, or both. `find` is the leader's; `respond` any thread's.

    `spa` is the path of the file in `folder` that answers for pages which nobody knows (single-page application);
    `error_pages` maps statuses to the paths of theirs. `large_listings` as `ListingResponder`.
    """

    def __init__(
        self,
        folder: Folder | None,
        application: WSGIResponder | None,
        *,
        spa: str | None = None,
        error_pages: Mapping[int, str] | None = None,
        large_listings: LargeListings | None = None,
    ) -> None:
        self._folder = folder
        self._files = None if folder is None else FileResponder(folder, folder.variants)
        self._listings = None if folder is None else ListingResponder(folder, large_listings)
        self._error_pages = None if folder is None or not error_pages else ErrorPages(folder, error_pages)
        self.application = application
        self._spa = spa
        self._spa_page: tuple[File, File] | None = None  # the file, and how it answers for other addresses
        # Asked first, where there is an application.
        self._spa_behind = None if application is None else FallbackResponder(application, self._respond_spa)

    def find(self, head: Head, turn: int) -> File | Listing | Redirect | WSGIResponder | None:
        """Who answers a request with this head: None stands for the server itself.

        A path that ends in `.py` is always the application's, and so is every method but GET and
        HEAD where there is an application. `turn` as `Folder.find`.
        """
        application = self.application
        folder = self._folder
        if (
            folder is not None
            and (application is None or head.method in ("GET", "HEAD"))
            and head.path != "*"
            and not is_program(head.path)
        ):
            found = folder.find(head.path, turn)
            if found is not None:
                return found
            if self._spa is not None and is_page(head):
                page = self._find_spa(turn)
                if page is not None:
                    return self._spa_behind or page
        return None if head.path == "*" else application

    def respond(self, request: Message, reply: Reply, found: File | Listing | Redirect | WSGIResponder | None) -> None:
        """Answers with what `find` has found. Raises `RequestRefused`."""
        if isinstance(found, File):
            assert self._files is not None
            self._files.respond(request, reply, found)
        elif isinstance(found, WSGIResponder):
            found.respond(request, reply)
        elif isinstance(found, Listing):
            assert self._listings is not None
            self._listings.respond(request, reply, found)
        elif isinstance(found, Redirect):
            self._redirect(request.head, reply, found)
        elif request.head.path == "*":
            reply.page(204, "", (("Allow", ALLOW if self.application is None else _ALLOW_APPLICATION),))
        else:
            refuse_method(request.head.method, known_path=False)
            raise RequestRefused(404, _NOT_FOUND)

    def ready(self, head: Head, file: File, stamp: bytes) -> tuple[bytes, int] | None:
        """As `FileResponder.ready`."""
        return None if self._files is None else self._files.ready(head, file, stamp)

    def error_page(self, head: Head, reply: Reply, status: int, fields: tuple[tuple[str, str], ...]) -> bool:
        """Answers with a file of the site's author; False where the server's own page has to do. Any thread."""
        return self._error_pages is not None and self._error_pages.respond(head, reply, status, fields)

    def _respond_spa(self, request: Message, reply: Reply) -> None:
        assert self._files is not None
        page = self._find_spa(fresh_look())  # the application has taken its time
        if page is None:
            raise RequestRefused(404, _NOT_FOUND)
        self._files.respond(request, reply, page)

    def _find_spa(self, turn: int) -> File | None:
        """Any thread: what two make at once is equal."""
        assert self._folder is not None
        assert self._spa is not None
        file = self._folder.find(self._spa, turn)
        if not isinstance(file, File):
            return None
        known = self._spa_page
        if known is None or known[0] is not file:
            # Who does not take HTML gets another answer at the same address (RFC 9110 section 12.5.5).
            self._spa_page = known = file, file.also(("Vary", "Accept"))
        known[1].turn = file.turn
        return known[1]

    def _redirect(self, head: Head, reply: Reply, redirect: Redirect) -> None:
        if head.method == "OPTIONS":
            reply.page(204, "", (("Allow", ALLOW),))
            return
        refuse_method(head.method, known_path=True)
        location = redirect.location
        if head.query:
            location += "?" + quote(head.query, _QUERY, "latin-1")  # what came may hold what no URI does
        reply.page(301, "The folder has its address with a slash at the end.", (("Location", location),))
