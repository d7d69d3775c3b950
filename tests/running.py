"""A server that serves in a thread of the test's process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.client import PATIENCE
from tpserver import Server


@dataclass
class Running:
    """A server that serves, in a thread of its own."""

    server: Server
    thread: threading.Thread

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server.server_port)

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the server has not stopped"
        self.server.server_close()


Start = Callable[..., Running]  # the fixture `start`: an application and options in, a running server out


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serves in a thread until the end of the block, and closes `server`."""
    running = Running(server, threading.Thread(target=server.serve_forever))
    running.thread.start()
    try:
        yield server
    finally:
        running.stop()
