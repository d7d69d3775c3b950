"""Ends a child process that the application has forked and that returns from the application.

The child has one thread, the client's socket and the listening one: it would send the client a second response, and
keep the port after the server has ended.
"""

from __future__ import annotations

import os
from typing import NoReturn

# How many fork() calls lie between the first process and this one. Only a child sees it change, in its one thread.
# (Reading it costs a tenth of os.getpid(), which takes 0.3 us.)
fork_generation = 0


def _count_fork() -> None:
    global fork_generation
    fork_generation += 1


if hasattr(os, "register_at_fork"):  # elsewhere there is no fork either
    os.register_at_fork(after_in_child=_count_fork)


def end_child(error: BaseException | None) -> NoReturn:
    """Ends this process with the exit status that an interpreter would give it after `error`.

    At once: the buffers and queues of the server belong to its parent.
    """
    if isinstance(error, SystemExit):
        code = error.code
        os._exit(code & 0xFF if isinstance(code, int) else int(code is not None))
    os._exit(int(error is not None))
