"""An application runs first; where it answers 404, something else answers.

Its 404 is withheld: nothing has been sent when the status is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tpserver.http.message import Message
from tpserver.reply import Reply
from tpserver.wsgi.responder import WSGIResponder
from tpserver.wsgi.response import WSGIResponse


class FallbackResponse(WSGIResponse):
    """One response, which is not sent when it is a 404. Only the thread that runs the request calls."""

    __slots__ = ()

    @property
    def _withheld(self) -> bool:
        return self._head is not None and self._head.status == 404

    def send_whole(self, data: bytes) -> None:
        """As `WSGIResponse.send_whole`, unless it is withheld."""
        if not self._withheld:
            super().send_whole(data)

    def send_all(self, result: Iterable[bytes]) -> None:
        """As `WSGIResponse.send_all`, unless it is withheld."""
        if not self._withheld:
            super().send_all(result)

    def _begin(self, length: int | None) -> bytes:
        if not self._withheld:
            return super()._begin(length)
        # `head_sent` stays false, for no head is sent: an application that raises afterwards still gets its 500.
        self._silent = True
        return b""

    def _end(self) -> None:
        if not self._withheld:
            super()._end()


class FallbackResponder(WSGIResponder):
    """`first`, and `instead` where that answers 404. Any thread may call `respond`."""

    response_class = FallbackResponse

    def __init__(self, first: WSGIResponder, instead: Callable[[Message, Reply], None]) -> None:
        vars(self).update(vars(first))  # its application, with one memory for both
        self._instead = instead

    def respond(self, request: Message, reply: Reply) -> None:
        """As `WSGIResponder.respond`. Raises what `instead` raises."""
        super().respond(request, reply)
        if not reply.status:  # no response has begun
            self._instead(request, reply)
