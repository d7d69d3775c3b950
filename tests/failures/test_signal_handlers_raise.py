"""Signal handlers of the application that raise, as one that limits a request's time: they run in the watcher."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from running import PATIENCE, Running

from tpserver import make_server

Start = Callable[..., Running]


def test_the_server_goes_on_and_says_so(start: Start, monkeypatch: pytest.MonkeyPatch, log: Any) -> None:
    running = start()
    raised = threading.Event()

    def too_late() -> None:
        monkeypatch.undo()
        raised.set()
        raise TimeoutError("too late")

    # In the middle of a round, and where the loop itself looks whether it is to end.
    for name, where in (("service_actions", running.server), ("_rest", running.server.watcher)):
        raised.clear()
        monkeypatch.setattr(where, name, lambda *_: too_late())
        running.server.watcher.wake()
        assert raised.wait(PATIENCE)
        assert running.exchange(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    running.stop()
    assert log.text.count("tpserver has a fault in its watcher, which goes on") == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_to_end_the_program_ends_the_server(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def interrupt() -> None:
        monkeypatch.undo()
        raise error

    with make_server("127.0.0.1", 0) as server:
        monkeypatch.setattr(server, "service_actions", interrupt)
        with pytest.raises(error):
            server.serve_forever()
