"""Puts something behind each page of HTML of an application. For `--reload`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from tpserver.wsgi.responder import Application, Environ, StartResponse

# A response with one of these is left as it is: a script may not run there, the bytes are no text, or are vouched for.
_LEFT_ALONE: Final = frozenset(
    {"content-security-policy", "content-encoding", "content-range", "content-md5", "digest", "repr-digest"}
)
# Where it is shown as a page (Sec-Fetch-Dest). Scripts that fetch a part of one get it as it is.
_SHOWN: Final = frozenset({"document", "iframe", "frame"})


class PageEnd:
    """`application`, with `end` behind what it sends as text/html. Any thread."""

    def __init__(self, application: Application, end: bytes) -> None:
        self._application = application
        self._end = end
        self.__name__ = getattr(application, "__name__", type(application).__name__)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """As the application."""
        if environ.get("HTTP_SEC_FETCH_DEST", "document") not in _SHOWN:
            return self._application(environ, start_response)
        is_page: bool | None = None  # it has not called `start_response`

        def start(status: str, headers: list[tuple[str, str]], *exc_info: object) -> Callable[[bytes], None]:
            nonlocal is_page
            if is_page := _is_page(status, headers):
                headers = [_longer(name, value, len(self._end)) for name, value in headers]
            return start_response(status, headers, *exc_info)

        result = self._application(environ, start)
        if is_page is False:
            return result  # as it is: it may be a file, or in one piece
        if is_page and isinstance(result, (list, tuple)):
            return [b"".join([*result, self._end])]
        return _Ended(result, lambda: self._end if is_page else b"")


class _Ended:
    """An iterable with something behind it, which is known when it has come to its end."""

    def __init__(self, pieces: Iterable[bytes], end: Callable[[], bytes]) -> None:
        self._pieces = pieces
        self._end = end
        if hasattr(pieces, "close"):
            self.close = pieces.close

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        yield self._end()


def _is_page(status: str, headers: list[tuple[str, str]]) -> bool:
    fields = {str(name).lower(): str(value) for name, value in headers}
    is_html = fields.get("content-type", "").partition(";")[0].strip().lower() == "text/html"
    return is_html and _LEFT_ALONE.isdisjoint(fields) and status[:3] not in ("204", "205", "206", "304")


def _longer(name: str, value: str, more: int) -> tuple[str, str]:
    """A field for a content that is `more` bytes longer."""
    is_length = name.lower() == "content-length" and value.isascii() and value.isdecimal()
    return (name, str(int(value) + more)) if is_length else (name, value)
