"""What the processes of tests/workers run in place of a server: each does what a file says for its number."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from tpserver.workers.link import Link, Pipe


def obedient(pipe: Pipe, number: int, folder: Path) -> None:
    """Notes what it lives through in a file of its own, and ends when it is told to."""
    link = Link(pipe)
    what = (folder / f"do-{number}").read_text("utf-8") if (folder / f"do-{number}").exists() else ""
    notes = (folder / f"notes-{number}").open("a", encoding="utf-8", buffering=1)
    over = threading.Event()
    told: list[bool] = []

    def end(refuses: bool) -> None:
        told.append(refuses)
        over.set()

    notes.write(f"{os.getpid()}\n")
    if what == "fail":
        link.tell("failed", "it cannot", "because\n", 2)
        return
    if what == "crash":
        os._exit(3)
    if not link.commit():
        notes.write("never\n")
        return
    notes.write("accepts\n")
    link.reopen = lambda: notes.write("reopens\n")
    link.hangs = lambda: what == "hang"
    link.retires = lambda: "old" if what == "retire" else ""
    link.serve(end)
    link.tell("serves", number)
    if what == "die":
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    over.wait()
    notes.write(f"ends {told}\n")
