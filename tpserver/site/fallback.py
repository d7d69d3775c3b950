"""An application is asked first, and what it does not know (404) is answered by somebody else.

Its 404 is withheld: when it is known, nothing has been sent yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tpserver.http.message import Message
from tpserver.reply import Reply
from tpserver.wsgi.responder import WSGIResponder
from tpserver.wsgi.response import WSGIResponse


class FallbackResponse(WSGIResponse):
    """One response, of which nothing is sent when it is a 404. Only the thread that runs the request uses it."""

    __slots__ = ()

    @property
    def _withheld(self) -> bool:
        return self._head is not None and self._head.status == 404

    def send_whole(self, data: bytes) -> None:
        if not self._withheld:
            super().send_whole(data)

    def send_all(self, result: Iterable[bytes]) -> None:
        if not self._withheld:
            super().send_all(result)

    def _begin(self, length: int | None) -> bytes:
        if not self._withheld:
            return super()._begin(length)
        # `head_sent` stays false, for no head is: an application that fails after all may still say so.
        self._silent = True
        return b""

    def _end(self) -> None:
        if not self._withheld:
            super()._end()


class FallbackResponder(WSGIResponder):
    """`first`, and `instead` where that answers 404. Threads share it: `respond` may be called by many at once."""

    response_class = FallbackResponse

    def __init__(self, first: WSGIResponder, instead: Callable[[Message, Reply], None]) -> None:
        self.application = first.application
        self._memory = first._memory
        self._base = first._base
        self._by_host = first._by_host
        self._instead = instead

    def respond(self, request: Message, reply: Reply) -> None:
        """As `WSGIResponder.respond`. Raises what `instead` raises."""
        super().respond(request, reply)
        if not reply.status:  # nobody has answered
            self._instead(request, reply)
