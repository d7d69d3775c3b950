"""A worker's connection to its parent: what the parent says is done here, in a thread of its own.

The parent says "commit", "drain", "stop" and "reopen". A worker says tuples: ("ready",), ("failed", line, details,
status), ("beat",) or ("hangs",), ("retire", why), and what `tell` is given besides. The end of the pipe means that the
parent has died.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection

    Pipe = PipeConnection
else:
    from multiprocessing.connection import Connection

    Pipe = Connection

# Signals that reach every process of a terminal or of a service. What they mean is the parent's business.
_OF_PARENT: Final = ("SIGINT", "SIGBREAK", "SIGHUP", "SIGUSR1")
# Seconds between two looks at the worker itself.
_LOOK: Final = 1.0


def held_back() -> list[int]:
    """The signals that must not reach a process before it has handlers: the parent blocks them while it starts one."""
    return [getattr(signal, name) for name in (*_OF_PARENT, "SIGTERM") if hasattr(signal, name)]


class Link:
    """Of one worker. Made in its main thread, before anything else happens there."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()  # guards the pipe: messages of two threads stay whole
        self._committed = threading.Event()
        self._ended = False  # told to, or the parent has died
        self._asked_to_retire = False  # by SIGTERM
        # Of the server, when there is one:
        self.end: Callable[[bool], object] = lambda refuses: None  # drains; True: no other process accepts any more
        self.reopen: Callable[[], object] = lambda: None
        self.hangs: Callable[[], bool] = lambda: False
        self.retires: Callable[[], str] = lambda: ""  # why this worker wants to be replaced; "": it does not
        for name in _OF_PARENT:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), _ignore)
        signal.signal(signal.SIGTERM, self._retire_by_signal)
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, held_back())
        threading.Thread(target=self._listen, name="tpserver-link", daemon=True).start()

    def commit(self) -> bool:
        """The main thread, when the application has been imported: waits until the worker may accept. False: never."""
        self.tell("ready")
        self._committed.wait()
        return not self._ended

    def tell(self, *message: object) -> None:
        """Any thread: something for the parent. Where there is none any more nothing happens."""
        with contextlib.suppress(OSError, ValueError), self._sending:
            self._pipe.send(message)

    def serve(self, end: Callable[[bool], object]) -> None:
        """The main thread: `end` is called when the worker is to drain; now, where that was before."""
        self.end = end
        if self._ended:
            end(False)

    def _retire_by_signal(self, number: int, frame: object) -> None:
        self._asked_to_retire = True

    def _listen(self) -> None:
        while True:
            try:
                message = self._pipe.recv() if self._pipe.poll(_LOOK) else ""
            except (EOFError, OSError):
                message = "stop"
                self._pipe.close()
            if message in ("drain", "stop") and not self._ended:
                self._ended = True
                self._committed.set()
                self.end(message == "stop")
            elif message == "commit":
                self._committed.set()
            elif message == "reopen":
                self.reopen()
            if self._pipe.closed:
                return
            self._look()

    def _look(self) -> None:
        self.tell("hangs" if self.hangs() else "beat")
        if why := "SIGTERM" if self._asked_to_retire else self.retires():
            self.tell("retire", why)


def _ignore(number: int, frame: object) -> None:
    """A handler, and not SIG_IGN, which programs that the application starts would inherit."""
