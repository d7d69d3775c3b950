"""Libraries that replace sockets and threads by others of their own, which take turns in one thread.

With them the leader that waits for its sockets would keep all other threads from running.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

# The public function that says whether a module of the standard library is patched, by the library's own names.
_LIBRARIES: Final = (
    ("gevent", "gevent.monkey", "is_module_patched", ("threading", "_thread", "socket", "select")),
    ("eventlet", "eventlet.patcher", "is_monkey_patched", ("thread", "socket", "select")),
)


def patched() -> str | None:
    """What to say where gevent or eventlet has replaced what a server with threads stands on; else None. Any thread."""
    for library, module, function, parts in _LIBRARIES:
        is_patched: Callable[[str], bool] | None = getattr(sys.modules.get(module), function, None)
        if is_patched is not None and any(map(is_patched, parts)):
            return (
                f"{library} has replaced the sockets and threads of this process, and tpserver cannot serve with those:"
                f" remove the call that patches them, or serve the application with {library}'s own server"
            )
    return None
