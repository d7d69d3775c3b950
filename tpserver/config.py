"""Every option, declared once: the keyword arguments of `serve` and `make_server`, the command line and the docs.

An option is a field of `Config`; its metadata carry how it is written on the command line and what
it means. Sizes are bytes and times seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from tpserver.errors import UsageError
from tpserver.files.named_pages import ErrorPage, parse_error_page, parse_index
from tpserver.files.rules import FieldRule, MediaRule, parse_cache_control, parse_header, parse_mime
from tpserver.http.hosts import VirtualHost, parse_virtual_host

_SIZE: Final = re.compile(r"([0-9]{1,15})([KMG]?)")
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
COMPRESS_MODES: Final = ("auto", "sidecars", "off")
LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def parse_size(text: str) -> int:
    """ "65536", "64K", "256M", "1G" -> bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 65536, 64K or 256M")
    return int(match[1]) * _UNITS[match[2]]


def parse_count(text: str) -> int:
    """A whole number, 0 or above. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def parse_number(text: str) -> float:
    """A number, 0 or above. Raises ValueError."""
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def parse_prefix(text: str) -> str:
    """The beginning of a path. Raises ValueError."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not the beginning of a path, such as /upload")
    return text


@dataclass(frozen=True)
class Option:
    """How one field of `Config` is written and checked: `parse` raises ValueError, `least` and `most` are allowed.

    A field whose default is False is a flag and takes no value; one whose default is () may be given
    several times, and each adds to the tuple.
    """

    metavar: str
    meaning: str
    parse: Callable[[str], Any] = str  # of one value, where there may be several
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] | None = None
    shown: str = ""  # the default as the docs show it, where the value itself would not tell
    made: type = object  # what `parse` makes of one of several values


def _option(
    default: Any,
    metavar: str,
    meaning: str,
    *,
    parse: Callable[[str], Any] = str,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] | None = None,
    shown: str = "",
    made: type = object,
) -> Any:
    option = Option(metavar, meaning, parse, least, most, choices, shown, made)
    return field(default=default, metadata={"option": option})


@dataclass(frozen=True)
class Config:
    """What a server is to be. Raises `UsageError` for a value that cannot be."""

    root: str | None = _option(
        None, "DIR", "serve the files of this folder", shown="the current folder when there is no application"
    )
    listing: bool = _option(
        False,
        "",
        "list the folders that have no index file: as a page that sorts by name, size or date (?view=grid shows"
        " pictures), or as JSON for Accept: application/json. Whoever reaches the server sees what is there, but for"
        " names that begin with a dot, Python files, and links out of the folder; an existing folder is listed before"
        " the application is asked",
    )
    compress: str = _option(
        "auto",
        "MODE",
        "files in a content coding that the client accepts: auto takes coded files that lie beside them (app.js.br,"
        " app.js.zst, app.js.gz) and makes what is missing of texts and the like, sidecars takes only what lies there,"
        " off sends every file as it is",
        choices=COMPRESS_MODES,
    )
    index: tuple[str, ...] = _option(
        (),
        "NAME",
        "the file that answers for its folder; of several the first that is there",
        parse=parse_index,
        shown="index.html",
    )
    try_html: bool = _option(
        False, "", "/about is answered by about.html where no file has that name; a folder of the name comes after it"
    )
    spa: str | None = _option(
        None,
        "FILE",
        "the file below the root that answers, with 200, for unknown paths without an extension where the client takes"
        " HTML; an application is asked first, and its 404 is replaced",
        shown="none",
    )
    error_page: tuple[ErrorPage, ...] = _option(
        (),
        "STATUS=FILE",
        "the file below the root that is sent, where the client takes HTML, when the server itself answers with"
        " this status: 404, 405, 406, 412, 416, 500 or 501",
        parse=parse_error_page,
        made=ErrorPage,
    )
    cache_control: tuple[FieldRule, ...] = _option(
        (),
        "GLOB=VALUE",
        "the Cache-Control of the files that the glob takes (* within a segment, ** across); the last that fits"
        " decides, an empty value sends none",
        parse=parse_cache_control,
        made=FieldRule,
        shown="immutable for a year where the name carries a hash of the content, as app.3f2a9c1b.js; else none",
    )
    header: tuple[FieldRule, ...] = _option(
        (),
        "GLOB=NAME:VALUE",
        "a field that the files get which the glob takes; not listings, redirects or what an application answers",
        parse=parse_header,
        made=FieldRule,
    )
    mime: tuple[MediaRule, ...] = _option(
        (), "EXT=TYPE", "the media type of files with this extension", parse=parse_mime, made=MediaRule
    )
    follow_links: bool = _option(
        False, "", "symbolic links may lead out of the root: whoever can make one there decides what is served"
    )
    vhost: tuple[VirtualHost, ...] = _option(
        (),
        "HOST=WHAT",
        "a folder, or an application as MODULE:CALLABLE, for this host or *.domain; one of each may be given. Other"
        " hosts get --root and --app, or 421 where neither is given",
        parse=parse_virtual_host,
        made=VirtualHost,
    )
    app: str | None = _option(
        None, "MODULE:CALLABLE", "the WSGI application; also as the only positional argument", shown="none"
    )
    app_dir: str = _option(".", "DIR", "look for the application's module here first", shown="the current folder")
    host: str = _option("127.0.0.1", "HOST", "the address to listen on; 0.0.0.0 for every one of this machine")
    port: int = _option(
        8888, "PORT", "the port to listen on; 0 takes a free one and says which", parse=parse_count, least=0, most=65535
    )
    threads: int = _option(
        8, "N", "requests of the application that run at once", parse=parse_count, least=1, most=1000
    )
    queue: int = _option(
        1024, "N", "requests that may wait for a thread; one more gets 503 at once", parse=parse_count, least=0
    )
    queue_timeout: float = _option(
        30.0, "SECONDS", "that a request may wait for a thread; then 503; 0 is for ever", parse=parse_number, least=0
    )
    in_place: str = _option(
        "auto",
        "WHEN",
        "auto: quick requests run in the thread that polls, which is much faster; never: all in other ones",
        choices=("auto", "never"),
    )
    switch_interval: float = _option(
        0.0001,
        "SECONDS",
        "how long one computing thread keeps the interpreter from the others, while one or two of them compute;"
        " longer when more do; 0 leaves it as it is",
        parse=parse_number,
        least=0,
        most=1,
    )
    access_log: str = _option("-", "PATH", "a line for each request goes to this file; - is stdout, none is nowhere")
    log_level: str = _option("info", "LEVEL", "how much the server says on stderr", choices=LOG_LEVELS)
    max_head: int = _option(
        64 * 1024, "SIZE", "bytes of a request line and its fields; more get 414 or 431", parse=parse_size, least=1024
    )
    max_fields: int = _option(
        100, "N", "fields of a request, or of its trailers; more get 431", parse=parse_count, least=1
    )
    max_body: int = _option(
        256 * 1024**2, "SIZE", "bytes of a request's content; more get 413", parse=parse_size, least=0
    )
    max_spool: int = _option(
        1024**3,
        "SIZE",
        "bytes of requests' contents that are on disk at once; more get 503, and one content of more 413",
        parse=parse_size,
        least=0,
    )
    stream_body: tuple[str, ...] = _option(
        (),
        "PREFIX",
        "the contents of requests whose path begins so go to the application while they arrive, and never to the disk;"
        " such a request has a thread from its head on; may be repeated",
        parse=parse_prefix,
    )
    max_connections: int = _option(10_000, "N", "open connections; one more gets 503", parse=parse_count, least=1)
    max_connections_per_ip: int = _option(
        0, "N", "open connections of one client address, or IPv6 network; 0 is any number", parse=parse_count, least=0
    )
    max_outbox: int = _option(
        1024**2, "SIZE", "bytes of a response that wait in memory for their client", parse=parse_size, least=1024
    )
    slow_request: float = _option(
        10.0,
        "SECONDS",
        "after which a request that still runs is logged, with the place where it is; 0 is never",
        parse=parse_number,
        least=0,
    )
    server_timing: bool = _option(
        False, "", "tell in a Server-Timing field how long a request was in line and in the application"
    )
    head_timeout: float = _option(
        15.0, "SECONDS", "for the whole head of a request; then 408", parse=parse_number, least=0.1
    )
    idle_timeout: float = _option(
        75.0, "SECONDS", "that a connection is kept between two requests", parse=parse_number, least=0.1
    )
    min_rate: float = _option(
        240.0,
        "BYTES",
        "a second, at least, of a body or a response, after 5 seconds of grace; 0 allows any",
        parse=parse_number,
        least=0,
    )
    send_timeout: float = _option(
        30.0, "SECONDS", "that a body or a response may stand still", parse=parse_number, least=0.1
    )
    drain_timeout: float = _option(
        30.0, "SECONDS", "to finish what runs when the server is stopped", parse=parse_number, least=0
    )

    def __post_init__(self) -> None:
        for declared in fields(self):
            if declared.default == ():
                object.__setattr__(self, declared.name, _several(declared, getattr(self, declared.name)))
            _check(option_name(declared), getattr(self, declared.name), declared)


def _check(name: str, value: Any, declared: Field[Any]) -> None:
    option: Option = declared.metadata["option"]
    kind = type(declared.default)
    if kind in (int, float) and (not isinstance(value, (int, float)) or isinstance(value, bool)):
        raise UsageError(f"{name} takes a number, not {value!r}")
    if kind is int and not isinstance(value, int):
        raise UsageError(f"{name} takes a whole number, not {value!r}")
    if kind is bool and not isinstance(value, bool):
        raise UsageError(f"{name} is True or False, not {value!r}")
    if kind is tuple and (isinstance(value, str) or not isinstance(value, Iterable)):
        raise UsageError(f"{name} takes several values, such as a list; not {value!r}")
    if option.choices is not None and value not in option.choices:
        raise UsageError(f"{name} takes one of {', '.join(option.choices)}, not {value!r}")
    if option.least is not None and not value >= option.least:
        raise UsageError(f"{name} must be {option.least:g} or more, not {value!r}")
    if option.most is not None and not value <= option.most:
        raise UsageError(f"{name} must be {option.most:g} or less, not {value!r}")


def _several(declared: Field[Any], value: Any) -> Any:
    """A list of values -> a tuple, each checked as on the command line. What is no list is left for `_check`."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    option: Option = declared.metadata["option"]
    value = tuple(value)
    for one in value:
        if not isinstance(one, (str, option.made)):
            raise UsageError(f"{option_name(declared)} takes texts {option.metavar}, not {one!r}")
    try:
        return tuple(option.parse(one) if isinstance(one, str) else one for one in value)
    except ValueError as error:
        raise UsageError(f"{option_name(declared)}: {error}") from None


def option_name(declared: Field[Any]) -> str:
    """A field of `Config` -> its name on the command line."""
    return "--" + declared.name.replace("_", "-")


def options() -> list[tuple[Field[Any], Option]]:
    """Every option, in the order in which it is shown."""
    return [(declared, declared.metadata["option"]) for declared in fields(Config)]


def shown_default(declared: Field[Any], option: Option) -> str:
    """The default as a person reads it: 64K, 75, none."""
    value: Any = declared.default
    if option.shown:
        return option.shown
    if value is False:
        return "off"
    if value == ():
        return "none"
    if option.parse is parse_size:
        for unit in "GMK":
            if value % _UNITS[unit] == 0:
                return f"{value // _UNITS[unit]}{unit}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def options_table(names: Sequence[str] | None = None) -> str:
    """The options as a Markdown table, for README.md; where `names` are given, only those fields, in their order."""
    rows = ["| option | meaning | default |", "| --- | --- | --- |"]
    declared_options = options()
    if names is not None:
        by_name = {declared.name: (declared, option) for declared, option in declared_options}
        declared_options = [by_name[name] for name in names]
    for declared, option in declared_options:
        written = f"{option_name(declared)} {option.metavar}".rstrip()
        rows.append(f"| `{written}` | {option.meaning} | {shown_default(declared, option)} |")
    return "\n".join(rows) + "\n"
