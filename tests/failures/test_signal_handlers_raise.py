"""Signal handlers of the application that raise, as one that limits a request's time: they run in the watcher."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from tests import inside
from tests.client import PATIENCE, Client, exchange
from tests.running import Running, Start
from tpserver import make_server


def test_the_server_goes_on_and_says_so(start: Start, monkeypatch: pytest.MonkeyPatch, log: Any) -> None:
    running = start()
    raised = threading.Event()

    def too_late() -> None:
        monkeypatch.undo()
        raised.set()
        raise TimeoutError("too late")

    # In the middle of a round, and where the loop itself looks whether it is to end.
    for place in ("round", "rest"):
        raised.clear()
        inside.in_the_watcher(monkeypatch, running.server, place, too_late)
        inside.wake_watcher(running.server)
        assert raised.wait(PATIENCE)
        assert exchange(running, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    running.stop()
    assert log.text.count("internal error in the watcher; it goes on") == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_to_end_the_program_ends_the_server(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def interrupt() -> None:
        monkeypatch.undo()
        raise error

    with make_server("127.0.0.1", 0) as server:
        inside.in_the_watcher(monkeypatch, server, "round", interrupt)
        with pytest.raises(error):
            server.serve_forever()


def test_one_that_raises_while_another_leader_is_made_does_not_leave_the_server_without(
    monkeypatch: pytest.MonkeyPatch, log: Any
) -> None:
    gate = threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            gate.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"here"]

    def raise_it(*_: object) -> None:
        raise TimeoutError("too late")

    with make_server("127.0.0.1", 0, app) as server:
        promoted = threading.Event()

        def interrupt_once() -> None:
            if inside.term(server) > 1 and not promoted.is_set():
                promoted.set()
                signal.raise_signal(signal.SIGINT)

        inside.before_promoting(monkeypatch, server, interrupt_once)
        running = Running(server, threading.current_thread())
        answers = []

        def ask() -> None:
            try:
                with Client(running) as slow:
                    slow.send(b"GET /slow HTTP/1.0\r\n\r\n")
                    assert promoted.wait(PATIENCE)
                    answers.append(exchange(running, b"GET / HTTP/1.0\r\n\r\n"))
                    gate.set()
                    answers.append(slow.stream.read())
            finally:
                gate.set()
                server.shutdown()

        before = signal.signal(signal.SIGINT, raise_it)
        client = threading.Thread(target=ask)
        try:
            client.start()
            server.serve_forever()
        finally:
            signal.signal(signal.SIGINT, before)
            client.join(PATIENCE)
    assert [answer[-4:] for answer in answers] == [b"here", b"here"]
    assert log.text.count("a signal handler has raised; the server goes on") == 1


def test_ctrl_c_ends_a_server_that_has_no_handler_for_it() -> None:
    with make_server("127.0.0.1", 0) as server:

        def interrupt() -> None:
            exchange(Running(server, client), b"GET / HTTP/1.0\r\n\r\n")
            signal.raise_signal(signal.SIGINT)

        client = threading.Thread(target=interrupt)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            client.start()
            with pytest.raises(KeyboardInterrupt):
                server.serve_forever()
        finally:
            signal.signal(signal.SIGINT, before)
            client.join(PATIENCE)
        assert inside.has_stopped(server)


def test_ctrl_c_while_the_watcher_is_being_started_ends_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "tpserver-watcher":
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with make_server("127.0.0.1", 0) as server:
        with pytest.raises(KeyboardInterrupt):
            server.serve_forever()
        assert inside.has_stopped(server)
