"""What the server answers by itself: redirects to folders, `OPTIONS *`, 404, and requests that a site refuses."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from tpserver.errors import RequestRefused
from tpserver.files.folder import Redirect
from tpserver.files.responder import ALLOW, refuse_method
from tpserver.http.message import Message
from tpserver.reply import Reply

# What a query may hold (RFC 3986 section 3.4), the percent sign of what is escaped already, and the brackets, which
# all clients send and understand unescaped.
_QUERY: Final = "%/?:@!$&'()*+,;=-._~[]"
NOT_FOUND: Final = "There is nothing at this address."


class RedirectResponder:
    """Answers a folder's address without its slash: 301."""

    __slots__ = ("_redirect",)
    runs_inline = True

    def __init__(self, redirect: Redirect) -> None:
        self._redirect = redirect

    def respond(self, request: Message, reply: Reply) -> None:
        """As `Responder.respond`. Any thread."""
        head = request.head
        if head.method == "OPTIONS":
            reply.page(204, "", (("Allow", ALLOW),))
            return
        refuse_method(head.method, known_path=True)
        location = self._redirect.location
        if head.query:
            location += "?" + quote(head.query, _QUERY, "latin-1")  # it may hold characters that no URI has
        reply.page(301, "The folder has its address with a slash at the end.", (("Location", location),))


class OptionsResponder:
    """Answers `OPTIONS *` with the methods of the whole server (RFC 9110 section 9.3.7)."""

    runs_inline = True

    def __init__(self, allow: str) -> None:
        self._allow = allow

    def respond(self, request: Message, reply: Reply) -> None:
        """As `Responder.respond`. Any thread."""
        reply.page(204, "", (("Allow", self._allow),))


class NotFoundResponder:
    """Answers what neither a file nor an application answers: 404, or 501 for an unknown method."""

    runs_inline = True

    def respond(self, request: Message, reply: Reply) -> None:
        """As `Responder.respond`. Any thread."""
        refuse_method(request.head.method, known_path=False)
        raise RequestRefused(404, NOT_FOUND)


class RefusalResponder:
    """Answers with a refusal that was raised while the site looked for a responder."""

    __slots__ = ("_refusal",)
    runs_inline = True

    def __init__(self, refusal: RequestRefused) -> None:
        self._refusal = refusal

    def respond(self, request: Message, reply: Reply) -> None:
        """As `Responder.respond`. Any thread."""
        raise self._refusal.with_traceback(None)
