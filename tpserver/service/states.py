"""What a service reports to Windows's service manager, in order; the values are those of winsvc.h."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

# Seconds between two reports of a service that starts or stops, and how long the manager may wait for the next one.
INTERVAL: Final = 1.0
WAIT_HINT: Final = 15.0
# Results of a control (winerror.h).
DONE: Final = 0
NOT_IMPLEMENTED: Final = 120
# As Win32 exit code it says that the exit status of the server stands beside it.
SPECIFIC: Final = 1066


class State(IntEnum):
    """Where a service is in its life."""

    STOPPED = 1
    START_PENDING = 2
    STOP_PENDING = 3
    RUNNING = 4


PENDING: Final = (State.START_PENDING, State.STOP_PENDING)


class Control(IntEnum):
    """What the manager may tell a service."""

    STOP = 1
    INTERROGATE = 4
    SHUTDOWN = 5
    PRESHUTDOWN = 0xF


_STOPPING: Final = (Control.STOP, Control.SHUTDOWN, Control.PRESHUTDOWN)
# STOP, SHUTDOWN and PRESHUTDOWN while it runs. While it stops the end of the machine may still hurry it.
_ACCEPTED: Final = {State.RUNNING: 0x1 | 0x4 | 0x100, State.STOP_PENDING: 0x4}


class Status(NamedTuple):
    """One report, in the order of SERVICE_STATUS behind the type of the service. `wait_hint` is milliseconds."""

    state: State
    accepted: int
    exit_code: int
    specific_exit_code: int
    check_point: int
    wait_hint: int


class Service:
    """The state of this process's service. Any thread may call it."""

    def __init__(self) -> None:
        self.begun = threading.Event()  # the manager knows it, or cannot be told
        self.ended = threading.Event()
        self._send: Callable[[Status], object] | None = None
        self._lock = threading.Lock()
        self._state = State.START_PENDING
        self._check_point = 0
        self._stop: Callable[[], object] | None = None

    @property
    def connected(self) -> bool:
        """Whether the manager gets the reports."""
        return self._send is not None

    def live(self, send: Callable[[Status], object]) -> None:
        """Reports by `send` until the service has ended. A thread of the manager's calls it."""
        self._send = send
        self._report_again()
        self.begun.set()
        while not self.ended.wait(INTERVAL):
            self._report_again()

    def control(self, number: int) -> int:
        """Does what the manager tells it, and returns the result. It may come while the server starts and ends."""
        if number in _STOPPING and self._stop is not None:
            self._enter(State.STOP_PENDING)
            self._stop()
        return DONE if number in _STOPPING or number == Control.INTERROGATE else NOT_IMPLEMENTED

    @contextlib.contextmanager
    def running(self, stop: Callable[[], object]) -> Iterator[None]:
        """While a server serves, which `stop` drains; a second call of `stop` does not wait for what runs."""
        self._stop = stop
        self._enter(State.RUNNING)
        try:
            yield
        finally:
            self._enter(State.STOP_PENDING)

    def end(self, status: int, error: int = 0) -> None:
        """Reports the end, with the exit status of the server or with an error of Windows."""
        self._enter(State.STOPPED, error or (SPECIFIC if status else 0), status)
        self.ended.set()

    def _enter(self, state: State, exit_code: int = 0, specific_exit_code: int = 0) -> None:
        with self._lock:
            if self._state not in (state, State.STOPPED):
                self._state = state
                self._report(exit_code, specific_exit_code)

    def _report_again(self) -> None:
        """The same state with the next check-point, where the manager waits for another one."""
        with self._lock:
            if self._state in PENDING:
                self._report()

    def _report(self, exit_code: int = 0, specific_exit_code: int = 0) -> None:
        """Under the lock."""
        pending = self._state in PENDING
        self._check_point = self._check_point + 1 if pending else 0
        hint = int(WAIT_HINT * 1000) if pending else 0
        if self._send is not None:
            accepted = _ACCEPTED.get(self._state, 0)
            self._send(Status(self._state, accepted, exit_code, specific_exit_code, self._check_point, hint))
