"""The signals of a process that is a server: what stops it, and what re-opens its logs."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FrameType
from typing import Any, Final

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

    def handle(number: int, frame: FrameType | None) -> None:
        reopen()

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


def _call(call: Callable[[], object], number: int, frame: FrameType | None) -> None:
    """A handler that needs neither."""
    call()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
