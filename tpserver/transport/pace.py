"""How long a client may take: the timeouts of a server, and the pace of a transfer. Pure arithmetic, no clock."""

from __future__ import annotations

from typing import NamedTuple


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
