"""How the thread that has called `serve_forever` waits.

Signal handlers run in the main thread, between any two instructions, and may raise. No code bears that everywhere:
least of all the standard library's conditions. So the main thread does nothing but take a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from tpserver.logs.log import Log

_log = Log("tpserver")

# Seconds between two looks: on Windows no wait is interrupted by Ctrl-C, and elsewhere a signal may come to a thread
# that is not this one.
_LOOK: Final = 0.5


def main_thread_wait(
    lock: threading.Lock, is_over: Callable[[], bool], begin_shutdown: Callable[[], None]
) -> BaseException | None:
    """Waits until `lock` is free, or until it `is_over`. The caller of `serve_forever`.

    An `Exception` of a signal handler is logged. What is none (KeyboardInterrupt, SystemExit) begins a shutdown, and is
    returned: it is to be raised after that.
    """
    raised: BaseException | None = None
    ended = False
    while not ended:
        try:
            while not ended:
                ended = lock.acquire(timeout=_LOOK) or is_over()
        except Exception:  # noqa: BLE001 - a fault of a handler does not end the server
            _log.exception("a signal handler has raised; the server goes on")
        except BaseException as error:  # noqa: BLE001 - as said
            raised = error
            begin_shutdown()
    return raised
