"""Every option, declared once: the keyword arguments of `serve` and `make_server`, the command line and the docs.

An option is a field of `Config`; `option.py` says what an `Option` holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tpserver.files.named_pages import ErrorPage, parse_error_page, parse_index
from tpserver.files.rules import (
    CodingRule,
    FieldRule,
    MediaRule,
    parse_cache_control,
    parse_encoded,
    parse_header,
    parse_mime,
)
from tpserver.http.hosts import VirtualHost, parse_virtual_host
from tpserver.option import Option, check, flag, option, option_name, parse_prefix, parse_several, shown_default
from tpserver.record import Record


class Config(Record, frozen=True):
    """The options of a server. Sizes are bytes, times seconds. Raises `UsageError` for an invalid value."""

    root: str | None = option(
        None,
        "DIR",
        "Folder whose files are served. It may also be an argument without an option.",
        shown="the current folder when there is no application",
        also=("-d", "--directory"),
    )
    listing: bool = flag(
        "List folders that have no index file: as a page that sorts and filters (?view=grid shows pictures), as JSON"
        " for Accept: application/json, or as bare names for Accept: text/plain. Every client sees the names, except"
        " those that begin with a dot, Python files, and links out of the folder. An existing folder is listed before"
        " the application is asked."
    )
    archive: bool = flag(
        "As --listing, and offer each listed folder as a zip archive (?archive=zip) of what its listing and those below"
        " it show. It is made while it is sent. Two are made at once, each by one of the --threads; one more gets 503."
    )
    compress: str = option(
        "auto",
        "MODE",
        "Send files in a content coding that the client accepts. auto: use coded files beside the plain ones"
        " (app.js.br, app.js.zst, app.js.gz) and compress other texts in the background. sidecars: use only the coded"
        " files that exist. off: send every file as it is.",
        choices=("auto", "sidecars", "off"),
    )
    index: tuple[str, ...] = option(
        (),
        "NAME",
        "Index file: answers for its folder. May be repeated: the first that exists is used.",
        parse=parse_index,
        shown="index.html",
    )
    try_html: bool = flag(
        "Answer /about with about.html where no file is named about. The page comes before a folder of that name."
    )
    spa: str | None = option(
        None,
        "FILE",
        "File below the root that answers, with 200, for unknown paths without an extension where the client accepts"
        " HTML. An application is asked first, and its 404 is replaced.",
        shown="none",
    )
    error_page: tuple[ErrorPage, ...] = option(
        (),
        "STATUS=FILE",
        "File below the root that is sent, where the client accepts HTML, when the server itself answers with this"
        " status: 404, 405, 406, 412, 416, 500 or 501. May be repeated.",
        parse=parse_error_page,
        parsed_type=ErrorPage,
    )
    cache_control: tuple[FieldRule, ...] = option(
        (),
        "GLOB=VALUE",
        "Cache-Control field of the files that match the glob (* within a segment, ** across segments). May be"
        " repeated: the last match decides, an empty value sends no field.",
        parse=parse_cache_control,
        parsed_type=FieldRule,
        shown="immutable for a year where the name holds a hash of the content, as app.3f2a9c1b.js; else none",
    )
    header: tuple[FieldRule, ...] = option(
        (),
        "GLOB=NAME:VALUE",
        "Response field of the files that match the glob; not of listings, redirects or an application's responses."
        " May be repeated.",
        parse=parse_header,
        parsed_type=FieldRule,
    )
    mime: tuple[MediaRule, ...] = option(
        (),
        "EXT=TYPE",
        "Media type of files with this extension, or with this whole name, or that match a glob (*.tar.gz, docs/**)."
        " May be repeated: the last match decides.",
        parse=parse_mime,
        parsed_type=MediaRule,
    )
    charset: str = option(
        "auto",
        "NAME",
        "Charset of text files to which --mime gives none. auto: utf-8 where the file is valid UTF-8, else the file"
        " decides, by <meta> for example. none: no charset.",
    )
    encoded: tuple[CodingRule, ...] = option(
        (),
        "GLOB=CODING",
        "Content coding that the files are in that match the glob: br, zstd, gzip, or none. May be repeated: the last"
        " match decides.",
        parse=parse_encoded,
        parsed_type=CodingRule,
        shown="by name: br, zstd or gzip for app.js.br, app.wasm.gz and the like, gzip for tiles and .svgz that are",
    )
    follow_links: bool = flag(
        "Follow symbolic links out of the root. Every user who can make a link there can then publish any file."
    )
    vhost: tuple[VirtualHost, ...] = option(
        (),
        "HOST=TARGET",
        "Folder, or application as MODULE:CALLABLE, for this host or *.domain. May be repeated: one folder and one"
        " application for each host. Other hosts get --root and --app, or 421 where neither is given.",
        parse=parse_virtual_host,
        parsed_type=VirtualHost,
    )
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
    host: str = option(
        "127.0.0.1",
        "HOST",
        "Address to listen on, or a name, which may have several. 0.0.0.0: all IPv4 addresses of this machine. On the"
        " command line a port may follow, as in 0.0.0.0:8000.",
        also=("-b", "--bind"),
    )
    port: int = option(
        8888, "PORT", "Port to listen on. 0: a free port; the server prints which.", most=65535, also=("-p",)
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
        "-", "PATH", "File that gets one line for each request. -: standard output. none: no access log."
    )
    log_level: str = option(
        "info",
        "LEVEL",
        "Lowest level that is logged on standard error.",
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
        "Most bytes of request contents on disk at once; beyond it 503, and 413 for a single content that is larger.",
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
        0, "N", "Most open connections of one client address, or of one IPv6 network (/64). 0: no limit."
    )
    max_outbox: int = option(
        1024**2,
        "SIZE",
        "Most bytes of a streamed response that wait in memory for the client; beyond it the application waits.",
        least=1024,
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

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Config) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def __replace__(self, **changes: Any) -> Config:
        """A copy with other values; what `copy.replace` calls (Python 3.13)."""
        return Config(**{**vars(self), **changes})


# By the names of the fields, in the order in which help and docs show them.
OPTIONS: Final[dict[str, Option]] = {name: getattr(Config, name) for name in Config.__annotations__}
for _name, _option in OPTIONS.items():
    setattr(Config, _name, _option.default)


def options_table(names: Iterable[str] = OPTIONS) -> str:
    """The options as a Markdown table. `names`: only these fields, in this order."""
    rows = ["| option | meaning | default |", "| --- | --- | --- |"]
    for name in names:
        declared = OPTIONS[name]
        written = f"{option_name(name)} {declared.metavar}".rstrip()
        rows.append(f"| `{written}` | {declared.meaning} | {shown_default(declared)} |")
    return "\n".join(rows) + "\n"
