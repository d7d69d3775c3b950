"""The classes that programs hand to wsgiref's `make_server`: what of them has a meaning here, and what has none."""

from __future__ import annotations

import sys
from typing import Any, Final

from tpserver.errors import UsageError
from tpserver.handler import HTTPRequestHandler
from tpserver.logs.log import Log

_log = Log("tpserver")

# The methods of a server that a class may replace: they are called at the same times as in wsgiref.
_SERVER_METHODS: Final = frozenset(
    {"__init__", "server_bind", "server_activate", "server_close", "verify_request", "service_actions",
     "handle_timeout", "set_app", "get_app"}
)  # fmt: skip
# Those of socketserver and wsgiref that are never called here.
_UNUSED: Final = frozenset({"setup_environ", "shutdown_request", "close_request", "process_request_thread"})
# Those of a request handler, which say who gets a line for each request, and what is in it.
_LOG_METHODS: Final = frozenset(
    {"log_request", "log_message", "log_error", "address_string", "log_date_time_string", "version_string",
     "date_time_string"}
)  # fmt: skip
_STANDARD: Final = ("socketserver", "http.server", "wsgiref.simple_server", "builtins")


def server_class_for(wanted: type | None, server: type[Any]) -> type[Any]:
    """The class to make the server of: `server`, a class derived from it, or both that and one of wsgiref's.

    A class of wsgiref's keeps its own attributes and its methods for binding, closing and admitting; all else is
    `server`'s. Raises `UsageError` for a class that replaces what this server does in another way.
    """
    if wanted is None or issubclass(server, wanted) or _is_wsgiref(wanted, "WSGIServer"):
        return server
    if issubclass(wanted, server):
        return wanted
    if not _derives(wanted, "WSGIServer"):
        raise UsageError(f"server_class is a class derived from tpserver.Server or from wsgiref's, not {wanted!r}")
    own = _own_names(wanted)
    ours = {name: value for one in reversed(server.__mro__) if _is_ours(one) for name, value in vars(one).items()}
    body = {name: value for name, value in ours.items() if name not in own and name not in _CLASS_NAMES}
    _refuse(
        "server_class",
        wanted,
        {name for name in own & {*ours} if callable(ours[name])} - _SERVER_METHODS | own & _UNUSED,
    )
    activate = wanted.server_activate if "server_activate" in own else server.server_activate  # type: ignore[attr-defined]
    base = type(wanted.__name__, (wanted, server), body)

    def server_activate(self: Any) -> None:
        """As ever, after wsgiref's `server_bind` may have asked the network for the name of this machine."""
        self.name_server()
        activate(self)

    base.server_activate = server_activate  # type: ignore[attr-defined]
    return base


_CLASS_NAMES: Final = frozenset({"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__"})


def request_log_of(wanted: type | None) -> type | None:
    """A `handler_class` that logs requests in its own way; None for one that does not.

    Raises `UsageError` for one that replaces how requests are read or run.
    """
    if wanted is None or _is_wsgiref(wanted, "WSGIRequestHandler"):
        return None
    if not _derives(wanted, "WSGIRequestHandler"):
        raise UsageError(f"handler_class is a class derived from wsgiref's WSGIRequestHandler, not {wanted!r}")
    standard = {
        name
        for one in wanted.__mro__
        if one.__module__ in _STANDARD
        for name, value in vars(one).items()
        if callable(value)
    }
    own = _own_names(wanted)
    _refuse("handler_class", wanted, ((own & standard) | {name for name in own if name[:3] == "do_"}) - _LOG_METHODS)
    return wanted if own & _LOG_METHODS else None


def logged_by(wanted: type, base: type[HTTPRequestHandler]) -> type[HTTPRequestHandler]:
    """`base`, whose requests are logged by the methods of `wanted`, a request handler of wsgiref's."""

    class LoggedRequestHandler(base):  # type: ignore[valid-type, misc]
        def finish(self) -> None:
            super().finish()
            head = self.request.head
            line: Any = object.__new__(wanted)  # without its `__init__`, which would read a request
            line.server, line.client_address, line.headers = self.server, self.client_address, {}
            line.command, line.path, line.request_version = head.method, head.target, head.protocol
            line.requestline = f"{head.method} {head.target} {head.protocol}"
            try:
                line.log_request(self.status, self.length)
            except Exception:  # noqa: BLE001 - it is not the server's
                _log.exception("%s cannot log a request", wanted.__name__)

    return LoggedRequestHandler


def _derives(wanted: object, name: str) -> bool:
    """Whether it is a class derived from wsgiref's of this name; that module is imported where there is one."""
    base = getattr(sys.modules.get("wsgiref.simple_server"), name, None)
    return base is not None and isinstance(wanted, type) and issubclass(wanted, base)


def _is_wsgiref(wanted: object, name: str) -> bool:
    return wanted is getattr(sys.modules.get("wsgiref.simple_server"), name, wanted is None)


def _is_ours(one: type) -> bool:
    return one.__module__.partition(".")[0] == "tpserver"


def _own_names(wanted: type) -> set[str]:
    """The names that a class and its bases define, down to those of the standard library."""
    own = {name for one in wanted.__mro__ if one.__module__ not in _STANDARD for name in vars(one)}
    return own - _CLASS_NAMES


def _refuse(what: str, wanted: type, names: set[str]) -> None:
    if names:
        raise UsageError(
            f"{what} {wanted.__name__} replaces {', '.join(sorted(names))}, which tpserver does in another way;"
            " what concerns requests belongs into a callable around the application"
        )
