"""The handshakes of TLS that are under way: how many there may be, and how many begin in one turn."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Final, Protocol

from tpserver.transport.server_name import Contexts

# Handshakes that have begun and not ended; where one more begins, the oldest connection of them ends.
MOST_HANDSHAKES: Final = 1000
# Handshakes that begin in one turn of the leader; each takes a millisecond or so. The others begin in the next turn.
_TURN: Final = 8


class Shaking(Protocol):
    """A socket whose handshake is under way."""

    def shutdown_now(self) -> None:
        """Any thread: its owner finds that the client has gone."""


class Handshakes:
    """Those of one server: the contexts that new ones take, and those under way. Any thread may call."""

    def __init__(self, contexts: Contexts) -> None:
        self.contexts = contexts  # others may take their place; connections keep theirs
        self.failed: Callable[[], None] = lambda: None  # called for each that fails
        self.turn: Callable[[], int] = lambda: 0  # the number of the leader's turn
        self._turn = -1  # of the last that began
        self._begun = 0  # in that turn
        self._lock = threading.Lock()  # guards what follows: threads of the pool end handshakes, too
        self._under_way: dict[Shaking, None] = {}

    def may_begin(self) -> bool:
        """Whether one more may begin in this turn."""
        return self._begun < _TURN or self.turn() != self._turn

    def begin(self, sock: Shaking) -> None:
        """One more begins."""
        turn = self.turn()
        self._begun = self._begun + 1 if turn == self._turn else 1
        self._turn = turn
        with self._lock:
            oldest = next(iter(self._under_way)) if len(self._under_way) >= MOST_HANDSHAKES else None
            if oldest is not None:
                del self._under_way[oldest]
            self._under_way[sock] = None
        if oldest is not None:
            with contextlib.suppress(OSError):
                oldest.shutdown_now()  # the leader finds its end

    def end(self, sock: Shaking) -> None:
        """That of `sock` has ended, in whatever way. May be called again."""
        with self._lock:
            self._under_way.pop(sock, None)
