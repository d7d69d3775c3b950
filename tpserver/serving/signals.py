"""The signals of a process that is a server: what stops it, and what re-opens its logs."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FrameType
from typing import Any, Final

from tpserver.serving.ending import inherits_ignored

# What programs that rotate logs send. Windows has neither.
_REOPENING: Final = [getattr(signal, name) for name in ("SIGHUP", "SIGUSR1") if hasattr(signal, name)]


@contextlib.contextmanager
def handled(meanings: Mapping[str, Callable[[], object]]) -> Iterator[None]:
    """Signals, by their names, call what they mean; those that this system does not have are left out.

    Elsewhere than in the main thread nothing can be caught.
    """
    before: dict[int, Any] = {}
    for name, call in meanings.items() if _in_main_thread() else ():
        if number := getattr(signal, name, None):
            before[number] = signal.signal(number, partial(_call, call))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stopped_by_signals(stop: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
    """Ctrl-C, Ctrl-Break and SIGTERM call `stop`: Windows has SIGBREAK, and no real SIGTERM."""
    return handled(dict.fromkeys(("SIGINT", "SIGTERM", "SIGBREAK"), stop))


@contextlib.contextmanager
def logs_reopened_by_signals(reopen: Callable[[], object]) -> Iterator[None]:
    """SIGHUP and SIGUSR1 call `reopen`, unless the program has a handler of its own for them, before or later."""

    hung_up = unless_hung_up(reopen)

    def handle(number: int, frame: FrameType | None) -> None:
        (hung_up if number == _REOPENING[0] else reopen)()

    before: dict[int, Any] = {}
    for number in _REOPENING if _in_main_thread() else ():
        if signal.getsignal(number) in (signal.SIG_DFL, signal.SIG_IGN):
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)


def unless_hung_up(call: Callable[[], object]) -> Callable[[], object]:
    """`call` as the meaning of SIGHUP. Where the terminal that this process has now is gone by then: that of SIGTERM.

    A terminal that is closed ends programs, unless they were started by nohup.
    """
    has_terminal = bool(_REOPENING) and _opens_terminal() is None and not inherits_ignored(_REOPENING[0])
    ends = False

    def handle() -> None:
        nonlocal ends
        if ends:  # the shell passes it on to its jobs, which get it from the system as well
            return
        ends = has_terminal and _opens_terminal() in (errno.ENXIO, errno.EIO)
        if ends:
            signal.raise_signal(signal.SIGTERM)
        else:
            call()

    return handle


def _opens_terminal() -> int | None:
    """The error number where the terminal that controls this process cannot be opened. Windows has no such file."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY))
    except OSError as error:
        return error.errno
    return None


def _call(call: Callable[[], object], number: int, frame: FrameType | None) -> None:
    """A handler that needs neither."""
    call()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
