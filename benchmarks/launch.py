"""Starts the peers that have no command line of their own, or none that says enough.

`python -m benchmarks.launch cheroot|bjoern|bare-loop APP PORT THREADS`
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .client import HOST


def cheroot(app: Any, port: int, threads: int) -> None:
    """Cheroot closes all but ten idle keep-alive connections by default; here it may keep all that are opened."""
    wsgi = importlib.import_module("cheroot.wsgi")
    server = wsgi.Server((HOST, port), app, numthreads=threads, request_queue_size=1024, timeout=75)
    server.keep_alive_conn_limit = 1000
    server.safe_start()


def bjoern(app: Any, port: int, threads: int) -> None:
    """Bjoern has no threads at all."""
    importlib.import_module("bjoern").run(app, HOST, port)


def bare_loop(app: Any, port: int, threads: int) -> None:
    """Nor has this one."""
    importlib.import_module("benchmarks.bare_loop").run(app, port)


def main() -> None:
    _, server, app, port, threads = sys.argv
    module, _, name = app.partition(":")
    application = getattr(importlib.import_module(module), name)
    {"cheroot": cheroot, "bjoern": bjoern, "bare-loop": bare_loop}[server](application, int(port), int(threads))


if __name__ == "__main__":
    main()
