"""Log handlers and filters of the program around the server that raise: logging lets that through."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import inside
from tests.client import PATIENCE, Client
from tests.failures.limited import get
from tests.running import Start
from tests.waiting import until


class Broken(logging.Handler):
    """As one that sends to a host which does not answer."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error
        self.tried = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.tried += 1
        raise self.error


@pytest.fixture(params=[OSError, SystemExit], ids=["an Exception", "a BaseException"])
def broken(request: pytest.FixtureRequest) -> Iterator[Broken]:
    handler = Broken(request.param)
    logger = logging.getLogger("tpserver")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.mark.parametrize("where", ["in place", "in the pool"])
def test_an_error_that_cannot_be_logged_costs_one_request(
    start: Start, monkeypatch: pytest.MonkeyPatch, broken: Broken, where: str
) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ["PATH_INFO"] == "/fail":
            raise LookupError
        start_response("200 OK", [])
        return [b"fine"]

    if where == "in the pool":
        inside.run_in_pool(monkeypatch)
    running = start(app, threads=2)
    for _ in range(5):  # more often than there are threads
        with Client(running) as lost, contextlib.suppress(OSError):
            lost.sock.settimeout(PATIENCE / 10)
            lost.send(get("/fail"))
            lost.stream.read()
        with Client(running) as client:
            client.sock.settimeout(PATIENCE / 10)
            client.send(get("/"))
            assert client.sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert broken.tried >= 5
    until(running, lambda: inside.running(running.server) == 0)
