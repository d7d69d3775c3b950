"""Windows: what happens when the console window is closed, the user logs off, or the machine shuts down.

The process gets no signal then. A function that Windows calls, in a thread of its own, has five seconds, and when it
returns the process is ended. A process that a service has started (NSSM, IIS, Task Scheduler) is also told when any
user logs off, and goes on.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

# CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT and CTRL_SHUTDOWN_EVENT (wincon.h). Ctrl-C and Ctrl-Break are signals.
_LOGOFF: Final = 5
ENDS: Final = frozenset({2, _LOGOFF, 6})
# The session of services and of what they start.
SERVICES: Final = 0
# Seconds for requests to be finished, and then for logs to be written.
DRAINING: Final = 4.0
ENDING: Final = 0.9
# A context, while the server is bound, in which the system may have a function stop it.
StoppedBy = Callable[[Callable[[], None]], contextlib.AbstractContextManager[None]]


def ends_after(stop: Callable[[], None], event: int, wait: Callable[[float], object], session: int) -> bool:
    """What is done about an event: `stop` drains the server, a second call does not wait for what runs.

    It returns after five seconds; the process ends earlier where the server has stopped earlier. False: not our matter.
    """
    if event not in ENDS:
        return False
    if event == _LOGOFF and session == SERVICES:
        return True  # else the C library would take it for Ctrl-Break
    stop()
    wait(DRAINING)
    stop()
    wait(ENDING)
    return True


@contextlib.contextmanager
def stopped_by_console(stop: Callable[[], None]) -> Iterator[None]:
    """Has `stop` called, by a thread of the system, when the console ends. Nothing but on Windows."""
    if sys.platform != "win32":
        yield
    else:
        import ctypes

        never = threading.Event()
        made = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)
        kernel = ctypes.WinDLL("kernel32")
        session = ctypes.c_uint32(1)
        kernel.ProcessIdToSessionId(os.getpid(), ctypes.byref(session))
        called = made(lambda event: ends_after(stop, event, never.wait, session.value))
        _registered.append(called)
        kernel.SetConsoleCtrlHandler(called, 1)
        try:
            yield
        finally:
            kernel.SetConsoleCtrlHandler(called, 0)
            _registered.remove(called)


# The functions that Windows may call: it keeps none of them alive.
_registered: Final[list[Callable[[int], int]]] = []
