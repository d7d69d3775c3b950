"""Every option, declared once: the keyword arguments of `serve` and `make_server`, the command line and the docs.

An option is a field of `Config`, or of one of the groups in `options/`, whose `option.py` says what an `Option` holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from tpserver.errors import UsageError
from tpserver.options.files import FileOptions
from tpserver.options.network import NetworkOptions
from tpserver.options.option import Option, check, flag, option, parse_level, parse_prefix, parse_several
from tpserver.options.processes import ProcessOptions


class Config(ProcessOptions, NetworkOptions, FileOptions, frozen=True):
    """The options of a server. Sizes are bytes, times seconds. Raises `UsageError` for an invalid value."""

    app: str | None = option(
        None,
        "MODULE:CALLABLE",
        "WSGI application. MODULE is a module or a file, path/to/file.py; CALLABLE is a name, app or application where"
        " it is left out, or a call with literal arguments that makes the application, such as create_app('test')."
        " It may also be an argument without an option.",
        shown="none",
    )
    app_dir: str = option(
        ".",
        "DIR",
        "Folder that is searched first for the application's module.",
        shown="the current folder",
        also=("--chdir",),
    )
    open: bool = flag("Open the address in the browser when the server has started. Not with make_server.")
    threads: int = option(
        8,
        "N",
        "Most requests of the application that run at once. With --in-place auto and two threads or more, one quick"
        " request more may run beside them. 1: the application runs in exactly one thread.",
        least=1,
        most=1000,
    )
    stream_threads: int = option(
        -1,
        "N",
        "Most requests that give their place among the --threads to others while they wait for their client: to read a"
        " streamed response, or to send a content (--stream-body). Their threads go on waiting, so up to N more threads"
        " run the application.",
        least=-1,
        most=1000,
        shown="as --threads; 0 with --threads 1 or --in-place never",
    )
    queue: int = option(1024, "N", "Most requests that wait for a thread. One more gets 503 at once.")
    queue_timeout: float = option(30.0, "SECONDS", "Longest wait for a thread in seconds, then 503. 0: no limit.")
    in_place: str = option(
        "auto",
        "WHEN",
        "Where quick requests run. auto: in the thread that polls the sockets, which is much faster, unless --threads"
        " is 1. never: every request of the application runs in one of the --threads.",
        choices=("auto", "never"),
    )
    switch_interval: float = option(
        0.0001,
        "SECONDS",
        "Time slice in seconds after which a computing thread yields the interpreter, while up to two requests run in"
        " the pool; longer when more do. 0: leave the interpreter's setting unchanged.",
        most=1,
    )
    access_log: str = option(
        "-",
        "PATH",
        "File that gets one line for each request. -: standard output. none: no access log. After a file was renamed,"
        " SIGHUP or SIGUSR1 opens a new one under its name (not on Windows). Lines are in Apache's combined format,"
        " with --vhost in vhost_combined, and have the seconds at their end where a request took one or more. 499: the"
        " client left before it was answered.",
    )
    log_level: str = option(
        "info",
        "LEVEL",
        "Lowest level that is logged on standard error.",
        parse=parse_level,
        choices=("debug", "info", "warning", "error", "critical"),
    )
    max_head: int = option(
        64 * 1024, "SIZE", "Largest request line with its fields, in bytes; a larger one gets 414 or 431.", least=1024
    )
    max_fields: int = option(100, "N", "Most fields of a request, and most trailers; more get 431.", least=1)
    max_body: int = option(256 * 1024**2, "SIZE", "Largest content of a request in bytes; a larger one gets 413.")
    max_spool: int = option(
        1024**3,
        "SIZE",
        "Most bytes of request contents on disk at once; beyond it 503, and 413 for a single content that is larger."
        " The contents of one client address (IPv6: /64 network; behind a --trusted-proxy the one that it"
        " names) take at most half of it, then 503, unless nothing else is there. It does not protect from clients with"
        " several addresses.",
    )
    stream_body: tuple[str, ...] = option(
        (),
        "PREFIX",
        "Pass contents to the application while they arrive, never by way of the disk, for requests whose path begins"
        " with this prefix. Such a request occupies a thread as soon as its head has arrived. May be repeated. Contents"
        " of unknown length (chunked) are collected first, see --stream-chunked.",
        parse=parse_prefix,
    )
    stream_chunked: bool = flag(
        "With --stream-body, pass contents of unknown length (chunked) while they arrive, too. Flask reads them to the"
        " end (wsgi.input_terminated); Bottle, Django and Falcon take them for empty, since there is no CONTENT_LENGTH."
    )
    max_connections: int = option(
        10_000, "N", "Most open connections. One more gets 503. Windows: 500 at most.", least=1
    )
    max_connections_per_ip: int = option(
        0,
        "N",
        "Most open connections of one client address, or of one IPv6 network (/64). Those of a --trusted-proxy are not"
        " counted, since they are those of many clients. 0: no limit.",
    )
    max_outbox: int = option(
        1024**2,
        "SIZE",
        "Most bytes of a streamed response that wait in memory for the client; beyond it the application waits.",
        least=1024,
    )
    no_sendfile: bool = flag(
        "Read files and send them, instead of sendfile(), which is faulty for some file systems, such as shared folders"
        " of virtual machines."
    )
    server_header: str | None = option(
        None, "TEXT", "Server field of all responses. none: no such field.", shown="tpserver and its version"
    )
    slow_request: float = option(
        10.0,
        "SECONDS",
        "Seconds after which a running request is logged, with the line of code that it has reached. 0: never.",
    )
    server_timing: bool = flag("Send a Server-Timing field: milliseconds in the queue and in the application.")
    head_timeout: float = option(
        15.0, "SECONDS", "Longest time in seconds until the head of a request is complete, then 408.", least=0.1
    )
    idle_timeout: float = option(
        75.0, "SECONDS", "Seconds that a connection stays open between two requests.", least=0.1
    )
    min_rate: float = option(
        240.0,
        "BYTES",
        "Lowest rate of a request body or a response, in bytes per second, after 5 seconds of grace. 0: no limit.",
    )
    send_timeout: float = option(
        30.0, "SECONDS", "Longest pause in seconds within a request body or a response.", least=0.1
    )
    drain_timeout: float = option(
        30.0, "SECONDS", "Longest time in seconds to finish running requests when the server stops."
    )

    def __post_init__(self) -> None:
        for name, declared in OPTIONS.items():
            value = getattr(self, name)
            if declared.default == ():
                value = parse_several(value, name, declared)
                object.__setattr__(self, name, value)
            check(value, name, declared)
        if self.proxy_protocol and not self.trusted_proxy:
            raise UsageError("--proxy-protocol needs --trusted-proxy ADDRESS: nothing else may say who a client is")
        if self.proxy_protocol and self.redirect_http >= 0:
            raise UsageError("--proxy-protocol and --redirect-http: let the proxy redirect")
        self.check_prefixes()

    @property
    def threads_beside_streams(self) -> int:
        """The value of `stream_threads`, or what it is by default."""
        if self.stream_threads >= 0:
            return self.stream_threads
        return 0 if self.threads == 1 or self.in_place == "never" else self.threads

    def resolved(self) -> Config:
        """A copy that means the same in another current folder: the paths of what exists are absolute.

        A path of nothing stays as it is written, for the error that names it. So do those of unix sockets.
        """
        log = self.access_log
        return self.__replace__(
            root=_absolute(self.root),
            app_dir=_absolute(self.app_dir),
            vhost=[host._replace(target=_absolute(host.target)) for host in self.vhost],
            mount=[mount._replace(what=_absolute(mount.what)) for mount in self.mount],
            auth=[rule._replace(file=_absolute(rule.file, os.path.isfile)) for rule in self.auth],
            tls_cert=[_absolute(path, os.path.isfile) for path in self.tls_cert],
            tls_key=[_absolute(path, os.path.isfile) for path in self.tls_key],
            tls_password_file=_absolute(self.tls_password_file, os.path.isfile),
            tls_client_ca=_absolute(self.tls_client_ca, os.path.isfile),
            access_log=log if log in ("-", "none") else os.path.abspath(log),
        )

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Config) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def __replace__(self, **changes: Any) -> Config:
        """A copy with other values; what `copy.replace` calls (Python 3.13)."""
        return Config(**{**vars(self), **changes})


def _absolute(path: Any, exists: Callable[[str], bool] = os.path.isdir) -> Any:
    return os.path.abspath(path) if path is not None and exists(path) else path


# By the names of the fields, in the order in which help and docs show them.
_NAMES: Final = (
    *FileOptions.__annotations__,
    *NetworkOptions.__annotations__,
    *ProcessOptions.__annotations__,
    *Config.__annotations__,
)
OPTIONS: Final[dict[str, Option]] = {name: getattr(Config, name) for name in _NAMES}
for _name, _option in OPTIONS.items():
    setattr(Config, _name, _option.default)
