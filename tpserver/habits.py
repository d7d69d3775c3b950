"""What people type who know other servers: understood where it is clear, else answered with the option to use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Final

from tpserver.errors import UsageError

_PORT: Final = re.compile(r":?([0-9]{1,5})")
_HOST_AND_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.%\w]*\]|[^:/\\\[\]]*):([0-9]{1,5})")
_ONE_PROCESS: Final = "tpserver is one process; --threads N says how many requests of the application run at once"
_NO_TLS: Final = "tpserver speaks no TLS: put a reverse proxy such as nginx or Caddy in front"
_NO_RELOAD: Final = "tpserver does not reload; docs/embedding.md shows how to run it below a reloader"
# Options of other servers -> what to use here.
_ANSWERS: Final = {
    **dict.fromkeys(("-w", "--workers", "--processes", "--process", "-n"), _ONE_PROCESS),
    **dict.fromkeys(("-k", "--worker-class", "--worker-connections"), "--threads and --max-connections are the limits"),
    **dict.fromkeys(("--reload", "--reloader", "--auto-reload"), _NO_RELOAD),
    **dict.fromkeys(
        ("--certfile", "--keyfile", "--ssl-certfile", "--ssl-keyfile", "--ssl", "--tls", "--cert", "--key", "-S"),
        _NO_TLS,
    ),
    **dict.fromkeys(
        ("-t", "--timeout", "--graceful-timeout", "--keep-alive", "--timeout-keep-alive", "--channel-timeout"),
        "use --idle-timeout for a connection between two requests, --head-timeout for a request's head, --send-timeout"
        " for a pause in a transfer, --queue-timeout for the wait for a thread or --drain-timeout for the end;"
        " requests that run have no time limit",
    ),
    **dict.fromkeys(("--debug", "-v", "--verbose"), "use --log-level debug"),
    **dict.fromkeys(("-q", "--quiet", "--silent", "--no-access-log"), "use --access-log none"),
    **dict.fromkeys(("--access-logfile", "--log-file", "--access-log-file"), "use --access-log PATH"),
    **dict.fromkeys(("--daemon", "-D"), "tpserver stays in the foreground: start it by systemd, or with & in a shell"),
    **dict.fromkeys(("--factory", "--call"), "write the call itself, as in module:create_app()"),
    **dict.fromkeys(("--unix-socket", "--uds", "--socket"), "tpserver listens on TCP: use --host and --port"),
    **dict.fromkeys(("-i", "--no-listing", "--autoindex", "--browse"), "use --listing to list folders"),
    **dict.fromkeys(
        ("-l", "--listen", "--address", "-a", "--addr", "--ip"), "use --host HOST, --host HOST:PORT or --port"
    ),
    **dict.fromkeys(("--dir", "--folder", "--static", "--document-root", "-r"), "use --root DIR"),
    **dict.fromkeys(("-o", "--browser", "--open-browser"), "use --open"),
    **dict.fromkeys(("-c", "--config", "--settings"), "tpserver has no configuration file; all options are arguments"),
    **dict.fromkeys(("--preload", "--max-requests", "--max-requests-jitter"), _ONE_PROCESS),
    **dict.fromkeys(("--limit-concurrency", "--connection-limit"), "use --max-connections, --threads and --queue"),
    **dict.fromkeys(("--cache", "--max-age", "--cache-time"), "use --cache-control '**=max-age=SECONDS'"),
    "-P": "use -p or --port",
    "--single": "use --spa index.html",
    "--cgi": "tpserver runs no CGI scripts; it serves WSGI applications, see --app",
    "--protocol": "tpserver speaks HTTP/1.1",
    "--backlog": "the backlog is as long as the system allows",
}


def understand(words: Iterable[str], values: dict[str, object]) -> None:
    """Adds the positional arguments to `values`, which has the options: folder, application and address.

    Raises `UsageError`.
    """
    for word in words:
        if (match := _PORT.fullmatch(word)) is not None:
            _add(values, "port", int(match[1]), "--port")
        elif _is_folder(word):
            _add(values, "root", word, "--root")
        elif (match := _HOST_AND_PORT.fullmatch(word)) is not None:
            _add(values, "host", word, "--host")
        elif word.endswith(("/", os.sep)):
            raise UsageError(f"there is no folder {word}")
        else:
            _add(values, "app", word, "--app")
    if "host" in values:
        _divide_host(values)


def answer_unknown(arguments: Sequence[str], known: Sequence[str]) -> UsageError:
    """The error for options that tpserver has not; `known` are those that it has."""
    import difflib

    name = next((one for one in arguments if one.startswith("-")), arguments[0]).partition("=")[0]
    short = name[:2] if name[:2] in _ANSWERS and not name.startswith("--") else name
    if (text := _ANSWERS.get(name) or _ANSWERS.get(short)) is not None:
        return UsageError(f"there is no option {name}: {text}")
    names = [one.removeprefix("--") for one in known]  # the dashes would make all of them alike
    near = difflib.get_close_matches(name[2:], names, 1, 0.7) if name.startswith("--") else []
    hint = f"; did you mean --{near[0]}?" if near else ""
    return UsageError(f"unrecognized arguments: {' '.join(arguments)}{hint}")


def _add(values: dict[str, object], name: str, value: object, option: str) -> None:
    if name in values:
        what = {"app": "application", "root": "folder"}.get(name, name)
        raise UsageError(
            f"the {what} was given twice: {values[name]} and {value}; give one, as the argument or by {option}"
        )
    values[name] = value


def _is_folder(word: str) -> bool:
    """Whether a word names a folder to serve, and not the package of an application."""
    if not os.path.isdir(word):
        return False
    plain = re.fullmatch(r"\w+", word) is not None
    return not (plain and (os.path.isfile(os.path.join(word, "__init__.py")) or os.path.isfile(word + ".py")))


def _divide_host(values: dict[str, object]) -> None:
    """A host with a port: 0.0.0.0:8000, :8000, [::1]:8000."""
    host = str(values["host"])
    if host.startswith("unix:") or "/" in host.removeprefix("http://").rstrip("/"):
        raise UsageError(f"--host {host}: tpserver listens on TCP; it takes a name or an address, such as 0.0.0.0")
    host = host.removeprefix("http://").rstrip("/")
    if (match := _HOST_AND_PORT.fullmatch(host)) is not None:
        host, port = match[1], int(match[2])
        if values.get("port", port) != port:
            raise UsageError(f"the port was given twice: {values['port']} and {port}")
        values["port"] = port
        host = host or "0.0.0.0"
    values["host"] = "0.0.0.0" if host == "*" else host.removeprefix("[").removesuffix("]")
