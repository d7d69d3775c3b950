"""What a review found, each as the operator or the attacker would meet it."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import inside
from tests.client import PATIENCE, Client, exchange
from tests.logged import errors
from tests.running import Running, Start
from tpserver import make_server
from tpserver.logs.access_log import AccessLog


class Told(io.StringIO):
    """A log that says when something has been written, and goes on being fed until then."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


def test_the_access_log_is_written_although_requests_never_pause() -> None:
    stream = Told()
    log = AccessLog(stream.write)
    for _ in range(5000):
        log.add(0.0, ("127.0.0.1", 1), None, 200, 0)

    class Endless(type(log._lines)):  # type: ignore[misc]
        """For each line that is taken another one comes, until a batch has been written."""

        def popleft(self) -> Any:
            if not stream.written.is_set():
                self.append("a line")
            return super().popleft()

    log._lines = Endless(log._lines)
    log.ring()
    assert stream.written.wait(PATIENCE)
    assert log.close()


def test_a_server_that_was_closed_too_early_still_stops() -> None:
    server = make_server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with requests.get(f"http://127.0.0.1:{server.server_port}/", timeout=PATIENCE) as response:
        assert response.status_code == 404
    server.server_close()
    server.shutdown()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_server_that_was_closed_too_early_does_not_listen_again(log: pytest.LogCaptureFixture) -> None:
    server = make_server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with Client(Running(server, thread)) as client:
        assert client.ask("/").status == 404
        server.server_close()
        for _ in range(3):  # each time the leader looks at its listening socket again, and polls without it
            inside.check_deadlines_soon(server)
            assert client.ask("/").status == 404
        assert server.socket.fileno() == -1
    server.shutdown()
    thread.join(PATIENCE)
    assert server.socket.fileno() == -1
    assert errors(log) == []


def test_compiled_python_is_never_sent(start: Start, tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "settings.cpython-311.pyc").write_bytes(b"SECRET")
    running = start(root=str(tmp_path))
    response = requests.get(running.url + "/__pycache__/settings.cpython-311.pyc", timeout=PATIENCE)
    assert (response.status_code, b"SECRET" in response.content) == (404, False)


def test_content_that_will_not_be_read_is_not_stored(start: Start, tmp_path: Path) -> None:
    running = start(root=str(tmp_path))
    answer = exchange(running, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
