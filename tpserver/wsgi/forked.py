"""A child that the application has forked, and that comes back from it: it is no second server, and must end.

It has one thread, the client's socket and the listening one: it would give the client a second answer, and keep the
port when the server has ended.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

# How often this process has been born by fork(), it and those before it. Grows in the child only, in whose one thread
# it is seen to have grown. (os.getpid() costs 0.3 us, this a tenth.)
births = 0


def _born() -> None:
    global births
    births += 1


if hasattr(os, "register_at_fork"):  # else there is no fork either
    os.register_at_fork(after_in_child=_born)


def end_child() -> NoReturn:
    """Ends this process as an interpreter would by the exception that is being handled, if one is.

    At once: what the buffers and queues of the server hold is its parent's.
    """
    error = sys.exc_info()[1]
    if isinstance(error, SystemExit):
        code = error.code
        os._exit(code & 0xFF if isinstance(code, int) else int(code is not None))
    os._exit(int(error is not None))
