"""The options for processes: how many there are, and when they are replaced. A part of `Config`."""

from __future__ import annotations

from tpserver.options.option import flag, option, parse_count
from tpserver.record import Record


def parse_workers(text: str) -> int:
    """How many processes; "auto" is 0. Raises ValueError."""
    return 0 if text == "auto" else parse_count(text)


class ProcessOptions(Record, frozen=True):
    """Which processes serve. Not for make_server."""

    workers: int = option(
        1,
        "N",
        "Processes that run the application and share the listening sockets. auto, in Python 0: one for each processor"
        " that this process may use. Limits such as --threads and --max-connections are those of one process. On the"
        " command line the environment variable WEB_CONCURRENCY is the default. SIGHUP replaces the processes one by"
        " one, so that a new version of the application serves without a pause (not on Windows). Not with"
        " make_server.",
        parse=parse_workers,
        most=25,
        also=("-w",),
    )
    max_requests: int = option(
        0, "N", "Requests after which a process is replaced by a new one, such as for leaks of memory. 0: no limit."
    )
    max_requests_jitter: int = option(
        0, "N", "Most requests that a process takes beyond --max-requests, by chance: not all are replaced at once."
    )
    max_rss: int = option(
        0,
        "SIZE",
        "Memory of a process, in bytes, above which it is replaced by a new one. macOS: the most that it ever had."
        " 0: no limit.",
        shown="0",
    )
    hang_timeout: float = option(
        0.0,
        "SECONDS",
        "Seconds after which a process is killed and replaced that has given no sign of life: an extension has kept"
        " the interpreter, or requests wait while none of those that run has ended. Less than 5 is taken as 5."
        " 0: never.",
    )
    reload: bool = flag(
        "For development: start a new process when a module of the application, a template, or a file of"
        " --reload-include has changed; show errors of the import in the browser, and reload its page. Not with"
        " --workers and make_server."
    )
    reload_include: tuple[str, ...] = option(
        (),
        "GLOB",
        "With --reload, a further file to watch, as conf/*.toml or data/**/*.json; relative to --app-dir. May be"
        " repeated.",
    )

    @property
    def supervised(self) -> bool:
        """Whether a parent process watches those that serve."""
        return bool(self.workers != 1 or self.reload or self.max_requests or self.max_rss or self.hang_timeout)
