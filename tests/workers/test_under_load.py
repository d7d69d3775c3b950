"""Requests on kept and on new connections while processes are replaced: none fails."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from tests.client import Client
from tests.console import Console, tpserver
from tests.waiting import eventually

APP = """
import os

def app(environ, start_response):
    body = b"%d" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


class Load:
    """Clients that ask as often as they are told to; every third request is on a new connection."""

    def __init__(self, console: Console, clients: int, requests: int) -> None:
        self.answers: list[str] = []
        self.failed: list[str] = []
        self._console = console
        self._requests = requests
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        client = Client(self._console)
        for number in range(self._requests):
            try:
                if client.sock.fileno() < 0:
                    client = Client(self._console)
                response = client.ask("/")
                self.answers.append(response.content.decode())
                if response.fields.get("connection") == "close" or number % 3 == 2:
                    client.close()
            except (OSError, AssertionError, ValueError) as error:
                self.failed.append(repr(error))
                client.close()
        client.close()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_while_four_processes_are_replaced_no_request_fails(tmp_path: Path) -> None:
    (tmp_path / "pid.py").write_text(APP, "utf-8")
    with tpserver("pid:app", "--workers", "4", "--access-log", "none", cwd=tmp_path) as console:
        console.get("/")
        load = Load(console, clients=4, requests=500)
        eventually(lambda: len(load.answers) >= 100, "nothing is answered")
        before = set(load.answers)
        console.send(signal.SIGHUP)
        load.join()
        assert load.failed == []
        assert len(load.answers) == 2000
        seen: set[str] = set()
        eventually(lambda: seen.add(console.get("/")) or seen - before, "no process is new")
        assert console.stop().status == 0


def test_a_stop_answers_what_waits_to_be_accepted(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        APP.replace("    body", "    import time; print('inside', flush=True); time.sleep(0.3)\n    body"), "utf-8"
    )
    options = ("--workers", "2", "--threads", "1", "--access-log", "none")
    with tpserver("slow:app", *options, cwd=tmp_path) as console:
        assert console.url
        clients = [Client(console) for _ in range(8)]
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert console.read_line() == "inside\n"
        console.send()
        try:
            assert [client.response().status for client in clients] == [200] * 8
        finally:
            for client in clients:
                client.close()
        assert console.end().status == 0
