"""Applications without a framework."""

from __future__ import annotations

import itertools
import json
import threading
import time
from typing import TYPE_CHECKING

from .work import work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

GREETING = b"Hello, world!"
BIG = bytes(512 * 1024)
PIECE = bytes(64 * 1024)
KIB = bytes(1024)

SLOW_SECONDS = 0.050
SLOW_EVERY = 50
COMPUTE_MS = 300
HANG_SECONDS = 30.0

_turns = itertools.count(1)


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Thirteen bytes: what a server costs when the application costs nothing."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [GREETING]


def page(work_ms: float, wait_ms: float = 0) -> Application:
    """An application that computes, and then waits as for a database."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if work_ms:
            work(work_ms)
        if wait_ms:
            time.sleep(wait_ms / 1000)
        return hello(environ, start_response)

    return application


page_0_3, page_1, page_3, page_10 = page(0.3), page(1), page(3), page(10)
compute_wait = page(1, wait_ms=1)
sleep_2, sleep_10 = page(0, wait_ms=2), page(0, wait_ms=10)


def mixed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """/quick answers at once, /slow waits 50 ms, and anything else waits in one call of 50."""
    path = environ["PATH_INFO"]
    if path == "/slow" or (path != "/quick" and next(_turns) % SLOW_EVERY == 0):
        time.sleep(SLOW_SECONDS)
    return hello(environ, start_response)


def compute(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """/compute takes 300 ms of pure Python; anything else is quick."""
    if environ["PATH_INFO"] == "/compute":
        work(COMPUTE_MS)
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


def contents(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """/upload/N reads a body and fails unless it has N bytes, /64k is one piece, /pieces is a thousand without length.

    Anything else is quick.
    """
    path = environ["PATH_INFO"]
    fields = [("Content-Type", "application/octet-stream")]
    if path.startswith("/upload/"):
        told = str(len(environ["wsgi.input"].read()))
        status = "200 OK" if path.endswith(f"/{told}") else "400 Bad Request"
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(told)))])
        return [told.encode("ascii")]
    if path == "/64k":
        start_response("200 OK", [*fields, ("Content-Length", str(len(PIECE)))])
        return [PIECE]
    if path == "/pieces":
        start_response("200 OK", fields)
        return itertools.repeat(KIB, 1000)
    return hello(environ, start_response)


class Trap:
    """/page takes 0.6 ms of computing once it has loaded, which takes 1 s; /stall stops every /page for 300 ms.

    Requests that come while it loads or stalls wait for the lock, as for the lock of an import. /times tells when each
    page was ready, and when the loading and each stall had ended. Anything else is quick.
    """

    LOAD_SECONDS = 1.0
    STALL_SECONDS = 0.3
    WORK_MS = 0.6

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _loaded; is held while all have to wait
        self._loaded = False
        self._pages: list[float] = []
        self._ends: list[float] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/page":
            with self._lock:
                if not self._loaded:
                    self._hold(self.LOAD_SECONDS)
                    self._loaded = True
            work(self.WORK_MS)
            self._pages.append(time.monotonic())
        elif path == "/stall":
            with self._lock:
                self._hold(self.STALL_SECONDS)
        elif path == "/times":
            body = json.dumps({"pages": self._pages, "ends": self._ends}).encode("ascii")
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        return hello(environ, start_response)

    def _hold(self, seconds: float) -> None:
        time.sleep(seconds)
        self._ends.append(time.monotonic())


trap = Trap()
