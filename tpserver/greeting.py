"""What a start says: where the server is, and what of its surroundings will hurt it. Opens the browser (`--open`)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence

from tpserver.config import Config
from tpserver.files.paths import os_text
from tpserver.logs.log import Log
from tpserver.spool import LARGE
from tpserver.system.terminal import CYAN, FAINT, coloured
from tpserver.wsgi.responder import Application

_log = Log("tpserver")


def greeting(
    config: Config, application: Application | None, url: str, reachable: Sequence[str], *, colours: bool = False
) -> str:
    """What is served and where; `reachable` has the addresses for other devices. `colours`: for a terminal."""
    port = url.rstrip("/").rpartition(":")[2]
    first, lead, others = "  other devices: ", "", []
    for one in reachable:
        address = f"http://[{one}]:{port}/" if ":" in one else f"http://{one}:{port}/"
        others.append(f"\n{lead or first}{coloured(address, CYAN) if colours else address}")
        lead = " " * len(first)
    shown, end = url, "(Ctrl-C stops it)"
    if colours:
        shown, end = coloured(url, CYAN), coloured(end, FAINT)
    return f"tpserver serves {_what(config, application)} at {shown} {end}{''.join(others)}"


def start_warnings(
    config: Config, application: Application | None, sockets: Sequence[socket.socket], reads_contents: bool
) -> Iterator[str]:
    """What the owner of the process should know before the first request."""
    public = [name for name in (_public_name(sock) for sock in sockets) if name]
    if public:
        yield (
            f"everyone who can reach {' or '.join(public)} can use {_what(config, application)}"
            f"{', with listings of folders' if config.listing or config.archive else ''};"
            " it is not encrypted. --host 127.0.0.1 keeps it to this machine"
        )
    if reads_contents and (problem := _temporary_folder_problem()):
        yield problem


def _what(config: Config, application: Application | None) -> str:
    name = config.app or getattr(application, "__name__", type(application).__name__)
    what = [os.path.abspath(config.root)] if config.root is not None else []
    what += [str(name)] if application is not None else []
    what += [f"{thing} for {pattern}" for pattern, thing in config.vhost]
    what += [f"{thing} at {os_text(prefix)}" for prefix, thing in config.mount]
    return " and ".join(what)


def _public_name(sock: socket.socket) -> str | None:
    """Address and port that a socket listens on, where other devices may reach it."""
    name = sock.getsockname()
    if not isinstance(name, tuple) or name[0].startswith(("127.", "::ffff:127.")) or name[0] == "::1":
        return None
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def _temporary_folder_problem() -> str | None:
    """What is wrong with the folder that large contents are stored in."""
    import tempfile  # not without an application

    wanted = next((folder for name in ("TMPDIR", "TEMP", "TMP") if (folder := os.environ.get(name))), "")
    if not wanted and os.name == "posix":
        wanted = "/tmp"
    large = f"contents of requests above {LARGE // 1024**2} MiB"
    try:
        used = tempfile.gettempdir()
    except OSError:
        return f"no temporary folder can be written: {large} get 503. Set TMPDIR to a folder that can be"
    if wanted and os.path.realpath(used) != os.path.realpath(wanted):
        return f"the temporary folder {wanted} cannot be written: {large} are stored in {used}"
    return None


def open_browser(url: str) -> None:
    """A thread of its own: a browser in a terminal runs until it is left."""
    import webbrowser

    if not webbrowser.open(url):
        _log.warning("no browser could be opened; the address is %s", url)
