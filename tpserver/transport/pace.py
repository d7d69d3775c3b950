"""How long a client may take, and how fast a stream is made. Pure arithmetic, no clock."""

from __future__ import annotations

from typing import Final, NamedTuple

# Pieces of a stream that follow each other within so many seconds are a burst, from so many of them on.
_FAST: Final = 100e-6
_MANY: Final = 8


class Timing(NamedTuple):
    """All in seconds, except `min_rate` in bytes a second (0: no minimum).

    A transfer has credit: it begins with `grace` seconds, each byte adds 1/min_rate seconds, and no credit is longer
    than `send_timeout`. So a client that drips ends soon, and one that pauses does not.
    """

    head_timeout: float = 15.0  # for a whole head, from its first byte on (a new connection: from the start)
    idle_timeout: float = 75.0  # between two requests
    min_rate: float = 240.0  # of a body and of a response
    grace: float = 5.0  # before the rate counts
    send_timeout: float = 30.0  # that a transfer may stand still
    drain_timeout: float = 30.0  # that a server waits for running requests when it stops

    def begin(self, now: float) -> float:
        """Any thread: the deadline of a transfer that begins at `now`."""
        return now + (min(self.grace, self.send_timeout) if self.min_rate else self.send_timeout)

    def progress(self, deadline: float, moved: int, now: float) -> float:
        """Any thread: the deadline after `moved` more bytes."""
        if not self.min_rate:
            return now + self.send_timeout
        return min(deadline + moved / self.min_rate, now + self.send_timeout)


class Burst:
    """Whether a producer makes piece after piece of its stream."""

    __slots__ = ("_at", "_pieces")

    def __init__(self) -> None:
        self._at = 0.0  # when the last piece came
        self._pieces = 0  # that have followed each other fast

    def goes_on(self, now: float) -> bool:
        """The producer has one piece more at `now`, in seconds: whether others will follow at once, as it seems."""
        self._pieces = self._pieces + 1 if now - self._at < _FAST else 0
        self._at = now
        return self._pieces >= _MANY
