"""What people type who know other servers: understood where it is clear, else answered with the option to use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Final, cast

from tpserver.errors import UsageError
from tpserver.transport.endpoint import Endpoint, parse_endpoint

_PORT: Final = r":?([0-9]{1,5})"
_HOST_AND_PORT: Final = r"(\[[0-9A-Fa-f:.%\w]*\]|[^:/\\\[\]]*):[0-9]{1,5}"
_DIVIDED: Final = "use --bind HOST:PORT, or --host and --port"
_TLS_IS_SET: Final = "TLS 1.2 and 1.3 with today's ciphers are set; clients need a certificate with --tls-client-ca"
_IN_FRONT: Final = "use --trusted-proxy ADDRESS, once for each proxy; what it says of its clients is believed"
_HTTP_ONLY: Final = "leave it out; tpserver speaks HTTP/1.1 and WSGI, at --host and --port"
_SUPERVISED: Final = "leave that to what starts it, such as systemd, or env and sudo in a shell"
# Options of other servers -> what to use here.
_ANSWERS: Final = {
    **dict.fromkeys(("--processes", "--process", "-n"), "use --workers N"),
    **dict.fromkeys(("-k", "--worker-class", "--worker-connections"), "--threads and --max-connections are the limits"),
    **dict.fromkeys(("--reloader", "--auto-reload"), "use --reload"),
    **dict.fromkeys(
        ("--reload-dir", "--reload-extra-file", "--extra-files"),
        "--reload watches imported modules and templates; use --reload-include GLOB for further files",
    ),
    **dict.fromkeys(
        ("--reload-exclude", "--exclude-patterns", "--reload-engine"),
        "leave it out; --reload watches imported modules, templates and --reload-include GLOB",
    ),
    **dict.fromkeys(
        (
            "--no-reload",
            "--no-proxy-headers",
            "--noreload",
            "--no-debug",
            "--no-debugger",
            "--with-threads",
            "--threaded",
            "--nothreading",
            "--no-threading",
            "--wsgi",
            "--date-header",
            "--sendfile",
        ),
        "it is so without it; leave it out",
    ),
    **dict.fromkeys(("--without-threads", "--single-threaded"), "use --threads 1"),
    **dict.fromkeys(("--ssl", "--https", "-S"), "use --tls-cert FILE, or for development --tls self-signed"),
    **dict.fromkeys(("--ssl-keyfile-password", "--password"), "use --tls-password-file FILE"),
    **dict.fromkeys(
        ("--ssl-version", "--ssl-cert-reqs", "--cert-reqs", "--verify-mode", "--ssl-ciphers", "--ciphers"), _TLS_IS_SET
    ),
    **dict.fromkeys(
        (
            "-t",
            "--timeout",
            "--graceful-timeout",
            "--keep-alive",
            "--timeout-keep-alive",
            "--channel-timeout",
            "--timeout-graceful-shutdown",
            "--keep-alive-timeout",
            "--request-timeout",
        ),
        "use --idle-timeout for a connection between two requests, --head-timeout for a request's head, --send-timeout"
        " for a pause in a transfer, --queue-timeout for the wait for a thread or --drain-timeout for the end;"
        " requests that run have no time limit, see --hang-timeout",
    ),
    **dict.fromkeys(("--debug", "-v", "--verbose", "--debugger", "--expose-tracebacks"), "use --log-level debug"),
    **dict.fromkeys(("-q", "--quiet", "--silent", "--no-access-log"), "use --access-log none"),
    **dict.fromkeys(("--access-logfile", "--log-file", "--access-log-file"), "use --access-log PATH"),
    **dict.fromkeys(
        ("--error-logfile", "--error-log", "--log-config", "--access-logformat", "--log-format", "--capture-output"),
        "errors are logged to stderr, see --log-level, and requests to --access-log",
    ),
    **dict.fromkeys(
        (
            "--proxy-headers",
            "--forwarded-allow-ips",
            "--trusted-proxy-count",
            "--trusted-proxy-headers",
            "--url-scheme",
        ),
        _IN_FRONT,
    ),
    "--clear-untrusted-proxy-headers": "it is so with --trusted-proxy; see --untrusted-forwarded",
    **dict.fromkeys(("--root-path", "--url-prefix", "--script-name"), "use --mount PREFIX=MODULE:CALLABLE"),
    **dict.fromkeys(
        ("--interface", "--ws", "--http", "--loop", "--lifespan", "--http1", "--http2", "--http11"), _HTTP_ONLY
    ),
    **dict.fromkeys(
        (
            "-e",
            "--env",
            "--env-file",
            "-u",
            "--user",
            "-g",
            "--group",
            "-m",
            "--umask",
            "--pid",
            "--pidfile",
            "--name",
        ),
        _SUPERVISED,
    ),
    **dict.fromkeys(("--pythonpath", "--working-dir", "--cwd"), "use --app-dir DIR"),
    **dict.fromkeys(("--wsgi-file", "--module", "--application"), "use --app MODULE:CALLABLE or path/to/file.py"),
    **dict.fromkeys(("--static-map", "--static-path-mount", "--mounts"), "use --mount PREFIX=DIR"),
    **dict.fromkeys(
        (
            "--limit-request-line",
            "--limit-request-field_size",
            "--max-request-header-size",
            "--h11-max-incomplete-event-size",
        ),
        "use --max-head SIZE",
    ),
    "--limit-request-fields": "use --max-fields N",
    **dict.fromkeys(("--max-request-body-size", "--max-body-size"), "use --max-body SIZE"),
    "--no-server-header": "use --server-header none",
    "--http-socket": _DIVIDED,
    "--ident": "use --server-header TEXT",
    **dict.fromkeys(("--use-colors", "--no-use-colors"), "a terminal has colours unless NO_COLOR is set"),
    "-H": _DIVIDED,
    "-V": "use --version",
    "--upload": "tpserver takes no uploads; an application can",
    **dict.fromkeys(("--gzip", "--brotli"), "use --compress auto, which is the default"),
    "--cors-allow-origin": "use --cors",
    **dict.fromkeys(
        ("--daemon", "-D"),
        "tpserver stays in the foreground: start it by systemd, on Windows by tpserver service install,"
        " or with & in a shell",
    ),
    **dict.fromkeys(("--factory", "--call"), "write the call itself, as in module:create_app()"),
    **dict.fromkeys(("--unix-socket", "--uds", "--socket"), "use --bind unix:PATH"),
    **dict.fromkeys(("--unix-socket-perms", "--uds-permissions", "--chmod-socket"), "use --unix-mode 660"),
    "--chown-socket": "use --unix-owner USER:GROUP",
    "--fd": "use --bind fd:N",
    **dict.fromkeys(("-i", "--no-listing", "--autoindex", "--browse"), "use --listing to list folders"),
    **dict.fromkeys(
        ("-l", "--listen", "--address", "-a", "--addr", "--ip", "--hostname"),
        "use --bind HOST:PORT, or --host and --port",
    ),
    **dict.fromkeys(("--dir", "--folder", "--static", "--document-root", "-r"), "use --root DIR"),
    **dict.fromkeys(("-o", "--browser", "--open-browser"), "use --open"),
    **dict.fromkeys(("-c", "--config", "--settings"), "tpserver has no configuration file; all options are arguments"),
    **dict.fromkeys(("--preload", "--master"), "leave it out; each process of --workers imports the application"),
    "--limit-max-requests": "use --max-requests N",
    **dict.fromkeys(("--limit-concurrency", "--connection-limit"), "use --max-connections, --threads and --queue"),
    **dict.fromkeys(("--cache", "--max-age", "--cache-time", "--no-cache"), "use --cache-control '**=max-age=SECONDS'"),
    "-P": "use -p or --port",
    "--single": "use --spa index.html",
    "--cgi": "tpserver runs no CGI scripts; it serves WSGI applications, see --app",
    "--protocol": "tpserver speaks HTTP/1.1",
}
# What is typed before the rest with other servers.
_COMMANDS: Final = frozenset(
    {"run", "runserver", "serve", "server", "start", "flask", "gunicorn", "uvicorn", "hypercorn", "waitress-serve"}
)
_ADDRESS: Final = r"localhost|[0-9]{1,3}(\.[0-9]{1,3}){3}|http://[^/]+/?"


def understand(words: Iterable[str], values: dict[str, object]) -> None:
    """Adds the positional arguments to `values`, which has the options: folder, application and address.

    Raises `UsageError`.
    """
    for word in words:
        if (match := re.fullmatch(_PORT, word)) is not None:
            _add(values, "port", int(match[1]), "--port")
        elif _is_folder(word):
            _add(values, "root", word, "--root")
        elif re.fullmatch(_HOST_AND_PORT, word) is not None or re.fullmatch(_ADDRESS, word) is not None:
            _add(values, "host", word, "--host")
        elif word.endswith(("/", os.sep)):
            raise UsageError(f"there is no folder {word}")
        elif os.path.isfile(word) and not word.endswith(".py"):
            raise UsageError(f"{word} is a file; to serve it name its folder: {os.path.dirname(word) or '.'}")
        elif word in _COMMANDS and not _is_module(word, str(values.get("app_dir", "."))):
            raise UsageError(f"there is no command {word}: leave it out, and name a folder or MODULE:CALLABLE")
        else:
            _add(values, "app", word, "--app")
    if "host" in values:
        _divide_host(values)
    if "bind" in values:
        _check_bind(cast(Sequence[Endpoint], values["bind"]), values)


def answer_unknown(arguments: Sequence[str], known: Sequence[str]) -> UsageError:
    """The error for options that tpserver has not; `known` are those that it has."""
    import difflib

    given = [one.partition("=")[0] for one in arguments if one.startswith("-")]
    for name in given:
        short = name[:2] if name[:2] in _ANSWERS and not name.startswith("--") else name
        if (text := _ANSWERS.get(name) or _ANSWERS.get(short)) is not None:
            return UsageError(f"there is no option {name}: {text}")
    name = given[0] if given else ""
    names = [one.removeprefix("--") for one in (*known, *_ANSWERS)]  # the dashes would make all of them alike
    near = difflib.get_close_matches(name[2:], names, 1, 0.7) if name.startswith("--") else []
    hint = ""
    if near and (text := _ANSWERS.get(f"--{near[0]}")) is not None:
        return UsageError(f"there is no option {name}: {text}")
    if near:
        hint = f"; did you mean --{near[0]}?"
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


def _is_module(word: str, folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, word + ".py")) or os.path.isdir(os.path.join(folder, word))


def _divide_host(values: dict[str, object]) -> None:
    """A host with a port: 0.0.0.0:8000, :8000, [::1]:8000."""
    host = str(values["host"])
    if host.isdecimal():
        raise UsageError(f"--host {host}: that is no address; use --port {host}")
    try:
        endpoint = parse_endpoint(host)
    except ValueError as error:
        raise UsageError(f"--host {host}: {error}") from None
    if not endpoint.host:
        raise UsageError(f"--host {host}: it takes a name or an address, such as 0.0.0.0; use --bind {endpoint}")
    if endpoint.port is not None:
        if values.get("port", endpoint.port) != endpoint.port:
            raise UsageError(f"the port was given twice: {values['port']} and {endpoint.port}")
        values["port"] = endpoint.port
    values["host"] = endpoint.host


def _check_bind(bind: Sequence[Endpoint], values: dict[str, object]) -> None:
    """Raises `UsageError` where --host or --port was given as well, and has no meaning beside --bind."""
    if "host" in values:
        raise UsageError(f"the address was given twice: {values['host']} and {bind[0]}; use --bind for each")
    ports = [endpoint.port for endpoint in bind if endpoint.host]
    if "port" in values and not {None, values["port"]} & {*ports}:
        raise UsageError(f"the port was given twice: {values['port']} and {bind[0]}; use --bind for each address")
