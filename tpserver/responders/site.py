"""Who answers: an existing file first, then the application, else a page that says no."""

from __future__ import annotations

from tpserver.errors import RequestRefused
from tpserver.http.head import Head
from tpserver.http.message import Message
from tpserver.http.paths import is_program
from tpserver.responders.file import File
from tpserver.responders.folder import Folder, Listing, Redirect
from tpserver.responders.listing import ListingResponder
from tpserver.responders.reply import Reply
from tpserver.responders.static import ALLOW, FileResponder, refuse_method
from tpserver.responders.wsgi import WSGIResponder

_ALLOW_APPLICATION = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_NOT_FOUND = "There is nothing at this address."


class Site:
    """A folder, an application, or both. `find` is the leader's; `respond` any thread's."""

    def __init__(self, folder: Folder | None, application: WSGIResponder | None) -> None:
        self._folder = folder
        self._files = None if folder is None else FileResponder(folder, folder.variants)
        self._listings = None if folder is None else ListingResponder(folder)
        self.application = application

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
        return None if head.path == "*" else application

    def respond(self, request: Message, reply: Reply, found: File | Listing | Redirect | WSGIResponder | None) -> None:
        """Answers with what `find` has found. Raises `RequestRefused`."""
        if isinstance(found, WSGIResponder):
            found.respond(request, reply)
        elif isinstance(found, File):
            assert self._files is not None
            self._files.respond(request, reply, found)
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

    def _redirect(self, head: Head, reply: Reply, redirect: Redirect) -> None:
        if head.method == "OPTIONS":
            reply.page(204, "", (("Allow", ALLOW),))
            return
        refuse_method(head.method, known_path=True)
        location = redirect.location + ("?" + head.query if head.query else "")
        reply.page(301, "The folder has its address with a slash at the end.", (("Location", location),))
