"""What the live tests share: a client driven byte by byte, an application that waits, and a clock that a test moves."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any, NamedTuple

import pytest

from tpserver.engine import connections
from tpserver.system.clock import clock

PATIENCE = 20.0


class Response(NamedTuple):
    """One response; the fields' names in lower case."""

    status: int
    fields: dict[str, str]
    body: bytes


def request(
    target: str, *fields: str, method: str = "GET", protocol: str = "HTTP/1.1", body: bytes | None = None
) -> bytes:
    """The bytes of a request: `fields` are whole lines, Host is there already, Content-Length where there is a body."""
    lines = [f"{method} {target} {protocol}", "Host: server.example", *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def chunked(target: str, *chunks: bytes, trailers: str = "") -> bytes:
    """A POST in chunks; `trailers` are whole lines with their ends."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return request(target, "Transfer-Encoding: chunked", method="POST") + framed + f"0\r\n{trailers}\r\n".encode()


class Client:
    """A raw connection to a server."""

    def __init__(self, running: Any, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket()
        self.sock.settimeout(PATIENCE)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(running.address)
        self.stream = self.sock.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.stream.close()
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ask(self, target: str, *fields: str, method: str = "GET", **more: Any) -> Response:
        """One request and its response."""
        self.send(request(target, *fields, method=method, **more))
        return self.response(method)

    def head(self) -> tuple[int, dict[str, str]]:
        """The status and the fields of the next response; its content is left to be read."""
        status_line = self.stream.readline()
        assert status_line.startswith(b"HTTP/1.1 "), status_line
        fields: dict[str, str] = {}
        while (line := self.stream.readline()) != b"\r\n":
            assert line.endswith(b"\r\n"), line
            name, _, value = line.decode("latin-1").partition(":")
            assert name.lower() not in fields, f"{name} came twice"
            fields[name.lower()] = value.strip()
        return int(status_line[9:12]), fields

    def response(self, method: str = "GET") -> Response:
        """The next response, which answers a request with this method."""
        status, fields = self.head()
        if method == "HEAD" or status < 200 or status in (204, 304):
            body = b""
        elif fields.get("transfer-encoding") == "chunked":
            body = self._chunks()
        elif "content-length" in fields:
            body = self.stream.read(int(fields["content-length"]))
            assert len(body) == int(fields["content-length"]), "the content was cut off"
        else:
            body = self.stream.read()
        return Response(status, fields, body)

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self.stream.readline(), 16):
            pieces.append(self.stream.read(size))
            assert self.stream.readline() == b"\r\n"
        assert self.stream.readline() == b"\r\n"
        return b"".join(pieces)

    def ended(self) -> bool:
        """Waits for the end: whether it is an orderly one with nothing before it."""
        return self.stream.read() == b""

    def finish_sending(self) -> None:
        """Half-close: there is no more to come from this side."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes as a client does that crashed: the server gets a reset."""
        now = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        self.close()


@contextlib.contextmanager
def several(running: Any, count: int) -> Iterator[list[Client]]:
    """So many connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Client(running)) for _ in range(count)]


class Gates:
    """An application: /hold/NAME waits until NAME is opened; everything is answered with its path and content."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self._arrivals: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.seen: list[str] = []  # every path, in the order in which they began
        self.running = 0
        self.most = 0  # that ran at once

    def __enter__(self) -> Gates:
        return self

    def __exit__(self, *_: object) -> None:
        """Lets everything go, also after a test that failed."""
        with self._lock:
            for gate in self._gates.values():
                gate.set()
            self._gates = defaultdict(_open_event)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        with self._lock:
            self.seen.append(path)
            self.running += 1
            self.most = max(self.most, self.running)
            gate = self._gates[path[len("/hold/") :]] if path.startswith("/hold/") else None
        if gate is not None:
            self._arrivals.put(path[len("/hold/") :])
            gate.wait(PATIENCE)
        with self._lock:
            self.running -= 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [path.encode() + b" " + environ["wsgi.input"].read()]

    def open(self, name: str) -> None:
        with self._lock:
            self._gates[name].set()

    def arrived(self, count: int = 1) -> list[str]:
        """Waits until so many more requests wait at their gates; their names."""
        return [self._arrivals.get(timeout=PATIENCE) for _ in range(count)]


def _open_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def turns(running: Any, count: int = 2) -> None:
    """Returns when the server has seen all that was sent before: it has answered something later, twice."""
    with Client(running) as probe:
        for _ in range(count):
            assert probe.ask("*", method="OPTIONS").status == 204


def until(running: Any, condition: Callable[[], bool]) -> None:
    """Goes on asking for something else until `condition` holds."""
    end = monotonic() + PATIENCE
    with Client(running) as probe:
        while True:
            assert probe.ask("*", method="OPTIONS").status == 204
            if condition():
                break
            assert monotonic() < end, "it has not come to pass"


def until_left(running: Any, connections: int) -> None:
    """Waits until the server has so many connections, and no request that runs or waits."""
    server = running.server

    def left() -> bool:  # the one connection more is the asker's
        admission = server.admission
        return server.leader.open == connections + 1 and admission.running == admission.waiting == 0

    until(running, left)


def until_settled(running: Any) -> None:
    """Waits until the leader has all connections, with all that was sent before: none is with a relieved leader."""
    turns(running)
    server = running.server
    until(running, lambda: not any(connection.detached for connection in list(server.leader.table.by_fd.values())))


class Clock:
    """The clock that the server's deadlines are measured by; it stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = float(int(monotonic()))  # whole seconds, so that sums of them are exact
        monkeypatch.setattr(clock, "monotonic", lambda: self.now)

    def advance(self, running: Any, seconds: float) -> None:
        """Lets the server see what was sent before, moves on by a second or more, and lets it find out."""
        assert seconds >= connections.SWEEP, "the server may not look as often"
        until_settled(running)
        self.now += seconds
        running.server.leader.sweep_soon()
        until_settled(running)
