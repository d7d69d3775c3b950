"""An application whose requests wait until a test lets them go."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from tests.client import PATIENCE


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
