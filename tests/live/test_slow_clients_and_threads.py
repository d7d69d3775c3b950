"""Clients that read or send slowly: they do not take the threads of the application from all others."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import inside
from tests.client import PATIENCE, Client, request
from tests.running import Running, Start
from tests.waiting import turns, until, until_waiting

PIECE = b"x" * 65536


class Application:
    """/stream is endless, /upload reads its content, /hold waits for the test, and /quick answers at once."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.threads: set[int] = set()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        self.threads.add(threading.get_ident())
        if path == "/hold":
            self.go_on.wait(PATIENCE)
        answer = path.encode() + b" %d" % len(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return iter(lambda: PIECE, None) if path.startswith("/stream") else [answer]


@pytest.fixture
def app() -> Iterator[Application]:
    app = Application()
    yield app
    app.go_on.set()


def lagging(running: Running) -> int:
    """How many requests wait for their clients."""
    return sum(task.connection.lags for task in running.server.tasks.begun())


def read_slowly(client: Client, number: int) -> None:
    client.send(request(f"/stream{chr(97 + number)}"))
    assert client.head().status == 200


def upload_slowly(client: Client, number: int) -> None:
    client.send(request("/upload", "Content-Length: 100", method="POST") + b"x")


slowly = pytest.mark.parametrize("slowly", [read_slowly, upload_slowly], ids=["readers", "uploads"])


@contextlib.contextmanager
def slow_clients(running: Running, slowly: Callable[[Client, int], None], count: int) -> Iterator[list[Client]]:
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(count):
            clients.append(stack.enter_context(Client(running, receive_buffer=4096)))
            slowly(clients[-1], number)
            until(running, lambda count=number + 1: lagging(running) == count)  # type: ignore[misc]
        yield clients


@slowly
def test_as_many_slow_clients_as_there_are_threads_leave_them_to_others(
    start: Start, app: Application, slowly: Callable[[Client, int], None]
) -> None:
    running = start(app, threads=3, stream_body=["/upload"])
    inside.take_for_long(running.server, "GET /hold")
    with slow_clients(running, slowly, 3) as clients, contextlib.ExitStack() as stack:
        others = [stack.enter_context(Client(running)) for _ in range(2)]
        for number, other in enumerate(others):
            other.send(request("/hold"))
            until(running, lambda count=number + 4: inside.running(running.server) == count)  # type: ignore[misc]
        with Client(running) as quick:
            assert quick.ask("/quick").content == b"/quick 0"
        app.go_on.set()
        assert [other.response().content for other in others] == [b"/hold 0"] * 2
        if slowly is upload_slowly:
            for client in clients:
                client.send(b"x" * 99)
                assert client.response().content == b"/upload 100"


@slowly
def test_there_is_a_bound_beyond_which_slow_clients_keep_slow_pages_waiting_but_no_quick_ones(
    start: Start, app: Application, slowly: Callable[[Client, int], None]
) -> None:
    running = start(app, threads=2, stream_threads=1, in_place="auto", stream_body=["/upload"])
    inside.take_for_long(running.server, "GET /hold")
    inside.take_for_long(running.server, "GET /stream*")
    with slow_clients(running, slowly, 3), Client(running) as slow, Client(running) as quick:
        slow.send(request("/hold"))
        until_waiting(running, 1)
        turns(running, 5)
        assert inside.waiting(running.server) == 1
        for _ in range(5):
            assert quick.ask("/quick").content == b"/quick 0"


def test_slow_readers_of_streams_that_began_in_place_keep_no_quick_page_waiting(start: Start, app: Application) -> None:
    """Each path is of a group of its own, and begins in the thread that polls."""
    running = start(app, threads=2)
    with slow_clients(running, read_slowly, 6), Client(running) as quick:
        for _ in range(5):
            assert quick.ask("/quick").content == b"/quick 0"


@pytest.mark.parametrize("options", [{"threads": 1}, {"threads": 2, "in_place": "never"}], ids=["one", "never"])
def test_where_the_number_of_threads_is_promised_slow_clients_have_no_others(
    start: Start, app: Application, options: dict[str, Any]
) -> None:
    running = start(app, stream_body=["/upload"], **options)
    threads = options["threads"]
    with slow_clients(running, upload_slowly, threads) as clients, Client(running) as other:
        other.send(request("/quick"))
        until_waiting(running, 1)
        turns(running, 5)
        assert inside.waiting(running.server) == 1
        for client in clients:
            client.send(b"x" * 99)
            assert client.response().content == b"/upload 100"
        assert other.response().content == b"/quick 0"
    assert len(app.threads) == threads


def test_they_have_others_also_there_if_that_is_asked_for(start: Start, app: Application) -> None:
    running = start(app, threads=1, stream_threads=1, stream_body=["/upload"])
    with slow_clients(running, upload_slowly, 1) as clients, Client(running) as other:
        assert other.ask("/quick").content == b"/quick 0"
        clients[0].send(b"x" * 99)
        assert clients[0].response().content == b"/upload 100"
    assert len(app.threads) == 2
