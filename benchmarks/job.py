"""What a server is asked to do, what one run of it gives, and the names of those that are no peers."""

from __future__ import annotations

from dataclasses import dataclass

Figures = dict[str, float]  # metric -> value: what one run of one server gave

SUBJECT = "tpserver"
BARE = "bare-loop"  # no server, but a loop that shows what an engine costs
BEFORE = "before"  # tpserver of another checkout: a peer of every scenario, where --against names one


@dataclass(frozen=True)
class Job:
    """What a server is asked to serve, and with what."""

    app: str | None = None  # module of this package:name
    threads: int = 8
    quick: bool = False  # the application never waits: a server that is best with one thread may have one
    files: bool = False  # serve the folder of files
    options: tuple[str, ...] = ()  # for tpserver alone
    ready: tuple[str, int] = ("/", 13)  # a path, and the length of its body, that show the server to be ready
