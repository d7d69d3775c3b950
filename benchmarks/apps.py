"""The WSGI applications of the scenarios: every server gets exactly these."""

from __future__ import annotations

import functools
import itertools
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GREETING = b"Hello, world!"
BIG = bytes(512 * 1024)

SLEEP_SECONDS = 0.010
SLOW_SECONDS = 0.050
SLOW_EVERY = 50
COMPUTE_SECONDS = 0.300
HANG_SECONDS = 30.0
FLASK_SECONDS = 2.0

_turns = itertools.count(1)


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Thirteen bytes: what a server costs when the application costs nothing."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [GREETING]


def sleep(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Waits 10 ms, as for a database."""
    time.sleep(SLEEP_SECONDS)
    return hello(environ, start_response)


def mixed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """/quick answers at once, /slow waits 50 ms, and anything else waits in one call of 50."""
    path = environ["PATH_INFO"]
    if path == "/slow" or (path != "/quick" and next(_turns) % SLOW_EVERY == 0):
        time.sleep(SLOW_SECONDS)
    return hello(environ, start_response)


def compute(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """/compute burns 300 ms of its thread's processor time in pure Python; anything else is quick."""
    if environ["PATH_INFO"] == "/compute":
        end = time.thread_time() + COMPUTE_SECONDS
        while time.thread_time() < end:
            for _ in range(1000):
                pass
    return hello(environ, start_response)


def hung(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """/hang sleeps for half a minute: a database that does not answer."""
    if environ["PATH_INFO"] == "/hang":
        time.sleep(HANG_SECONDS)
    return hello(environ, start_response)


def big(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """/big is more than the socket buffers of a client that does not read; anything else is quick."""
    if environ["PATH_INFO"] == "/big":
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(BIG)))])
        return [BIG]
    return hello(environ, start_response)


STREAM_PIECES = 20
STREAM_SECONDS = 0.02


def everything(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What a soak asks for: /slow, /stream, /content (answers with its length), /big, /fail; anything else is quick."""
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


@functools.cache
def _flask_site() -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    from flask import Flask

    site = Flask(__name__)
    site.add_url_rule("/instant", "instant", lambda: "instant")
    site.add_url_rule("/slow", "slow", lambda: time.sleep(FLASK_SECONDS) or "slow")
    return site


def flask(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """/instant does nothing, /slow waits 2 s; both by a real framework."""
    return _flask_site()(environ, start_response)
