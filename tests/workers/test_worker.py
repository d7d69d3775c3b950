"""What a worker makes of what its parent says."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tpserver import Config
from tpserver.logs.streams import LogStream
from tpserver.serving.worker import Worker


class FakeLink:
    """The parent lets the worker serve, and says at once that it is to end."""

    def __init__(self, refuses: bool) -> None:
        self._refuses = refuses

    def commit(self) -> bool:
        return True

    def serve(self, end: Callable[[bool], object]) -> None:
        end(self._refuses)


@pytest.mark.parametrize(
    ("refuses", "handed_in", "spares"), [(False, False, True), (True, False, False), (True, True, True)]
)
def test_idle_connections_are_spared_where_another_process_serves_next(
    refuses: bool, handed_in: bool, spares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogStream, "shared", False)  # which a worker sets for its process
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = Config(bind=[f"fd:{listening.fileno()}"] if handed_in else [], port=0, access_log="none")
        link: Any = FakeLink(refuses)
        worker = Worker(link, 1, config, [listening.dup()])
        with worker.make_server() as server:
            worker.serve(server)
    assert (server.spares_idle, server.refuses_when_draining) == (spares, refuses)
