"""The thread that looks for changes."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator

from tpserver.logs.log import Log
from tpserver.reload.watched import Changes, Watched
from tpserver.system.clock import clock

_log = Log("tpserver")


def pause_after(cost: float) -> float:
    """Seconds until the next look, when one has cost so many seconds of a processor: so that all are 0.5 % of it."""
    return min(max(0.25, cost * 200), 0.75)


def watch(make: Callable[[], Watched], tell: Callable[[Changes], object]) -> None:
    """Begins to look, in a thread of its own, for as long as the process lives. `tell` gets what has changed."""
    threading.Thread(target=_watch, args=(make, tell), name="tpserver-reload", daemon=True).start()


def _watch(make: Callable[[], Watched], tell: Callable[[Changes], object]) -> None:
    watched = make()
    rest = _rest(watched)
    while True:
        try:
            begun = clock.thread_time()
            changes = watched.look()
            if changes.code or changes.pages:
                tell(changes)
            rest(pause_after(clock.thread_time() - begun))
        except Exception:  # noqa: BLE001 - an editor may do what it likes
            _log.exception("cannot look for changes; trying again")
            threading.Event().wait(1.0)


def _rest(watched: Watched) -> Callable[[float], object]:
    """Waits for so many seconds; with the package watchfiles until a file changes, and for two at the most."""
    try:
        library = importlib.import_module("watchfiles")
    except ImportError:
        never = threading.Event()
        return never.wait
    folders: set[str] = set()
    events: Iterator[object] = iter(())

    def wait(seconds: float) -> None:
        nonlocal folders, events
        now = watched.folders
        if now != folders:
            folders = now
            options = {"watch_filter": None, "debounce": 50, "step": 20, "rust_timeout": 2000, "recursive": False}
            events = library.watch(*now, **options, yield_on_timeout=True, ignore_permission_denied=True)
        next(events)

    return wait
