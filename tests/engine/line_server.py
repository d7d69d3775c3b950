"""A tiny protocol that is not HTTP, on the engine: each line is a request, and its answer is the line reversed.

What else a line can do is in the test's hands: `Serving.actions` has a function for its first word.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

from tests import inside
from tests.waiting import eventually
from tpserver.engine import server as engine
from tpserver.transport.protocol import Request

PATIENCE = 20.0
LONGEST = 100


class Line(Request):
    """A request. Lines that begin with "own" are answered by the leader; the first word is the route's group."""

    __slots__ = ("closed", "text")

    def __init__(self, text: bytes) -> None:
        super().__init__(runs_inline=text.startswith(b"own"))
        self.text = text
        self.closed = False

    @property
    def route(self) -> str:
        return self.text.decode("latin-1")

    @property
    def route_group(self) -> str:
        return self.route.partition(" ")[0]

    def describe(self) -> str:
        return ascii(self.text)

    def close(self) -> None:
        self.closed = True


class Said:
    """Bytes of the protocol's own: "interim" or "refusal"."""

    def __init__(self, kind: str, data: bytes) -> None:
        self.kind = self.cause = kind
        self.data = data


class LineReceiver:
    """A line that begins with a question mark is told to go on; one that is too long is refused."""

    def __init__(self) -> None:
        self.pending = b""
        self.closed = False

    @property
    def part(self) -> str:
        return "head" if self.pending else "nothing"

    def receive(self, data: bytes) -> Any:
        self.pending += data
        if self.pending.startswith(b"fault"):
            raise ZeroDivisionError("a fault of the receiver's")
        line, newline, rest = self.pending.partition(b"\n")
        if len(line) > LONGEST:
            return Said("refusal", b"too long\n")
        if not newline:
            return None
        self.pending = rest
        return Said("interim", b"go on\n") if line.startswith(b"?") else Line(line)

    def expire(self) -> bytes:
        return b"too late\n" if self.pending else b""

    def close(self) -> None:
        self.closed = True


class LineProtocol:
    draining = False

    def __init__(self) -> None:
        self.receivers: list[LineReceiver] = []

    def receiver(self, client_address: Any) -> LineReceiver:
        self.receivers.append(LineReceiver())
        return self.receivers[-1]

    def is_counted(self, client_address: Any) -> bool:
        return True

    def begin_turn(self) -> None:
        pass

    def end(self) -> None:
        pass

    def overload(self, request: Line, retry_after: int, cause: str) -> bytes:
        return b"busy\n"

    def leave(self, request: Line) -> None:
        pass

    def place_name(self) -> str:
        return ""

    def too_many_connections(self, client_address: Any, cause: str) -> bytes:
        return b"full\n"


class LineHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        line = self.request.text
        word, _, argument = line.partition(b" ")
        act = self.server.actions.get(word)  # type: ignore[attr-defined]
        if act is not None:
            act(argument)
        self.request.connection.write(line[::-1] + b"\n")


class LineServer(engine.Server):
    """`wrap`, if given, makes another socket of each accepted one."""

    def __init__(self, wrap: Callable[[socket.socket], Any] | None = None, **options: Any) -> None:
        self.actions: dict[bytes, Callable[[bytes], None]] = {}
        self._wrap = wrap
        super().__init__(("127.0.0.1", 0), LineHandler, LineProtocol(), **options)

    def get_request(self) -> tuple[Any, Any]:
        sock, address = super().get_request()
        return (self._wrap(sock) if self._wrap else sock), address


class LineClient:
    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address, timeout=PATIENCE)
        self.stream = self.sock.makefile("rb")

    def __enter__(self) -> LineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self) -> bytes:
        """The next line, without its end; b"" at the end of the connection."""
        return self.stream.readline().removesuffix(b"\n")

    def ask(self, line: bytes) -> bytes:
        self.send(line + b"\n")
        return self.answer()


class Serving:
    """A line server that serves, in a thread of its own."""

    def __init__(self, server: LineServer) -> None:
        self.server = server
        self.actions = server.actions
        self.thread = threading.Thread(target=server.serve_forever, name="watcher")

    def client(self) -> LineClient:
        return LineClient(("127.0.0.1", self.server.server_port))

    def turns(self, count: int = 2) -> None:
        """Returns when the server has seen all that was sent before: it has answered something later, twice."""
        with self.client() as client:
            for _ in range(count):
                assert client.ask(b"own turn") == b"nrut nwo"

    def until(self, condition: Callable[[], bool]) -> None:
        """Goes on asking for something else until `condition` holds."""
        with self.client() as client:
            for _ in range(100_000):
                assert client.ask(b"own turn") == b"nrut nwo"
                if condition():
                    return
        raise AssertionError("it has not come to pass")

    def until_left(self, connections: int) -> None:
        """Waits until the server has so many connections, and no request that runs or waits."""
        server, tasks = self.server, self.server.tasks

        def left() -> bool:
            return len(server.connections.by_fd) == connections + 1 and not tasks.everything()

        self.until(left)


@contextlib.contextmanager
def serving(server: LineServer) -> Iterator[Serving]:
    """Serves until the end of the block."""
    with server:
        running = Serving(server)
        running.thread.start()
        eventually(lambda: inside.has_begun(server) or not running.thread.is_alive(), "the server does not serve")
        try:
            yield running
        finally:
            server.shutdown()
            running.thread.join(PATIENCE)
            assert not running.thread.is_alive(), "the server has not stopped"


class Gate:
    """An action that waits until it is opened, and tells when it has been reached."""

    def __init__(self) -> None:
        self._reached = threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self, *_: object) -> None:
        self._reached.release()
        self._open.wait(PATIENCE)

    def reached(self) -> None:
        assert self._reached.acquire(timeout=PATIENCE)

    def open(self) -> None:
        self._open.set()

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
