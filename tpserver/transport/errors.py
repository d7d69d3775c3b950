"""What ends the engine, or keeps it from beginning."""

from __future__ import annotations


class EngineBroken(OSError):
    """Code that does not own it has closed the poller, the listening socket or the wake-up socket.

    The leader cannot go on: the server logs it as critical and stops.
    """


class UnsuitableSocket(OSError):
    """The engine cannot serve with a listening socket of this kind."""
