"""Who leads, and how a leader is relieved."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tpserver.engine.connection import Connection
from tpserver.engine.pool import Turn


class Leadership:
    """Who leads, by number. Each promotion makes the number greater by one; an older number has been relieved."""

    def __init__(self) -> None:
        # Guards `number` and `attending` together: only a leader that is attending can be relieved, and
        # one that has ended attending as the leader is still the leader.
        self.lock = threading.Lock()
        self.number = 0
        self.attending: Connection | None = None  # set by the leader alone, without the lock
        self.led = 0  # the last number that a thread leads or has led by
        self.turn: Turn | None = None  # of that thread
        self.mark = 0  # grows with each connection attended to: how the watcher tells two of them apart

    @property
    def thread(self) -> int:
        """The identity of the thread that leads, or did last. A moment's answer."""
        return 0 if self.turn is None else self.turn.thread

    def relieve(self, mark: int, count: Callable[[Connection], None] = lambda _: None) -> int | None:
        """The watcher: takes leadership from a leader that still attends to what `mark` stands for.

        `count` is told the connection before anybody else can know of it.
        The new number; None where that leader has gone on meanwhile.
        """
        with self.lock:
            connection = self.attending
            if connection is None or self.mark != mark:
                return None
            number = self.number + 1
            count(connection)
            connection.detached = True  # it belongs to the old leader until that one gives it back
            self.number = number
            self.attending = None
            return number

    def take(self, number: int, turn: Turn) -> bool:
        """A pool thread: whether it leads by `number`. No other does yet, and nobody has been appointed since."""
        with self.lock:
            if number != self.number or number == self.led:
                return False
            self.turn = turn
            self.led = number
            return True

    def close(self) -> Turn | None:
        """The watcher, when it stops: the turn of who leads. Where nobody does, nobody will by this number."""
        with self.lock:
            if self.led == self.number:
                return self.turn
            self.number += 1
            return None

    def appoint(self) -> int:
        """The watcher: a number for a leader where there is none."""
        with self.lock:
            self.attending = None
            self.number += 1
            return self.number
