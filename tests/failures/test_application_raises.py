"""What an application raises costs its own request, wherever it runs; thread, place in the queue and server go on."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import inside
from tests.client import Client, exchange, several
from tests.failures.limited import get
from tests.running import Running, Start
from tests.waiting import until_left

THREADS = 3


class Doom(BaseException):
    """As a framework's own way out may be: greenlet's GreenletExit is one."""


def too_deep(depth: int = 0) -> int:
    return too_deep(depth + 1) + 1


def too_large() -> bytes:
    return bytes(sys.maxsize // 2)


def _raise(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


FAULTS: dict[str, Callable[[], Any]] = {
    "MemoryError for real": too_large,
    "RecursionError for real": too_deep,
    "SystemExit": lambda: sys.exit(3),
    "KeyboardInterrupt": _raise(KeyboardInterrupt()),
    "GeneratorExit": _raise(GeneratorExit()),
    "StopIteration": _raise(StopIteration()),
    "CancelledError": _raise(asyncio.CancelledError()),
    "another BaseException": _raise(Doom()),
    "BrokenPipeError": _raise(BrokenPipeError()),
    "BlockingIOError": _raise(BlockingIOError()),
    "ConnectionAbortedError": _raise(ConnectionAbortedError()),
}
MOMENTS = ("call", "first", "later", "close")


class Failing:
    """/FAULT/MOMENT fails so, then; anything else is answered."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        _, name, moment = (environ["PATH_INFO"] + "//").split("/")[:3]
        if name not in FAULTS:
            start_response("200 OK", [("Content-Length", "4")])
            return [b"fine"]
        if moment == "call":
            FAULTS[name]()
        start_response("200 OK", [])
        return Body(moment, FAULTS[name])


class Body:
    """An iterable with an end of its own."""

    def __init__(self, moment: str, fault: Callable[[], Any]) -> None:
        self.moment = moment
        self.fault = fault

    def __iter__(self) -> Iterator[bytes]:
        if self.moment == "first":
            self.fault()
        yield b"begun"
        if self.moment == "later":
            self.fault()

    def close(self) -> None:
        if self.moment == "close":
            self.fault()


@pytest.fixture(params=["in place", "in the pool"])
def running(request: pytest.FixtureRequest, start: Start, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server that afterwards has every thread and every place that it had before."""
    if request.param == "in the pool":
        inside.run_in_pool(monkeypatch)
    running = start(Failing(), threads=THREADS)
    yield running
    for _ in range(3):
        assert exchange(running, get("/")).endswith(b"\r\n\r\nfine")
    until_left(running, 0)
    assert inside.busy(running.server) == 0


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", FAULTS)
def test_its_request_is_told_and_all_others_are_served(
    running: Running, log: pytest.LogCaptureFixture, name: str, moment: str
) -> None:
    target = f"/{name}/{moment}".replace(" ", "%20")
    for _ in range(2 * THREADS):  # more often than there are threads to lose
        answer = exchange(running, get(target))
        if moment in ("call", "first"):
            # A StopIteration from an iterator is the end of it, were it not in a generator, where it is an error.
            assert answer.startswith(b"HTTP/1.1 500 "), answer
        elif moment == "later":
            assert b"begun" in answer
            assert not answer.endswith(b"0\r\n\r\n"), "an answer that was cut off passes for a whole one"
        else:
            assert answer.endswith(b"begun\r\n0\r\n\r\n")
    logged = [record for record in log.records if record.levelname == "ERROR"]
    assert len(logged) == 2 * THREADS
    assert all("the application raised an exception" in record.getMessage() for record in logged)
    assert all(target in record.getMessage() for record in logged)


def test_a_connection_outlives_the_errors_of_its_requests(start: Start) -> None:
    running = start(Failing())
    with Client(running) as client:
        for name in FAULTS:
            assert client.ask(f"/{name.replace(' ', '%20')}/call").status == 500
            assert client.ask("/").content == b"fine"


def test_an_error_whose_text_cannot_be_made_is_a_500_too(start: Start, log: pytest.LogCaptureFixture) -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise SystemExit

    def app(environ: Any, start_response: Any) -> Any:
        raise Silent

    running = start(app)
    for _ in range(3):
        assert exchange(running, get("/")).startswith(b"HTTP/1.1 500 ")
    assert "the application raised an exception" in log.text


def test_an_application_that_uses_up_the_stack_in_every_thread_at_once(start: Start) -> None:
    barrier = threading.Barrier(THREADS)

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/deep":
            barrier.wait(20)
            too_deep()
        start_response("200 OK", [])
        return [b"fine"]

    running = start(app, threads=THREADS)
    with several(running, THREADS) as clients:
        for client in clients:
            client.send(get("/deep"))
        for client in clients:
            assert client.response().status == 500
    assert exchange(running, get("/")).endswith(b"fine")
