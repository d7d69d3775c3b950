"""The application of the long trials: everything that an application may do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..apps.plain import big, mixed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

STREAM_PIECES = 20
STREAM_SECONDS = 0.02


def everything(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """/slow, /stream, /content (answers with its length), /big, /fail; anything else is quick."""
    path = environ["PATH_INFO"]
    if path == "/stream":
        return _stream(start_response)
    if path == "/content":
        length = 0
        while piece := environ["wsgi.input"].read(65536):
            length += len(piece)
        body = b"%d" % length
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]
    if path == "/fail":
        raise LookupError("as it was asked to")
    return big(environ, start_response) if path == "/big" else mixed(environ, start_response)


def _stream(start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(STREAM_PIECES):
        time.sleep(STREAM_SECONDS)
        yield b"piece %d\n" % number
