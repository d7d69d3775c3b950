"""What a start says: where the server is, and what of its surroundings will hurt it. Opens the browser (`--open`)."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence

from tpserver.config import Config
from tpserver.files.paths import os_text
from tpserver.logs.log import Log
from tpserver.spool import LARGE
from tpserver.system.interpreter import has_lock, is_free_threaded
from tpserver.system.network import reachable_at
from tpserver.system.temporary_folder import named_folder
from tpserver.system.terminal import CYAN, FAINT, coloured
from tpserver.transport.endpoint import Endpoint
from tpserver.transport.listening import endpoint_of
from tpserver.wsgi.responder import Application

_log = Log("tpserver")


def greeting(
    config: Config,
    application: Application | None,
    addresses: Sequence[str],
    reachable: Sequence[str],
    origin: str = "",
    *,
    colours: bool = False,
) -> str:
    """What is served and where; `reachable` has the addresses for other devices.

    `origin`: where the address comes from, if not from the command line. `colours`: for a terminal.
    """
    lead, others = "  other devices: ", ""
    for address in reachable:
        others += f"\n{lead}{coloured(address, CYAN) if colours else address}"
        lead = " " * len(lead)
    shown = [coloured(address, CYAN) if colours else address for address in addresses]
    where = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    by = f" by {config.workers} processes" if config.workers > 1 else ""
    end = f"({'; '.join(filter(None, (origin, 'Ctrl-C stops it')))})"
    end = coloured(end, FAINT) if colours else end
    return f"tpserver serves {_what(config, application)} at {where}{by} {end}{others}{parallel_hint(config)}"


def addresses_of(sockets: Sequence[socket.socket], scheme: str) -> list[str]:
    """Where this machine finds what is served at `sockets`: addresses to open in a browser, and unix:PATH."""
    return list(dict.fromkeys(address_of(endpoint_of(sock), scheme) for sock in sockets))


def address_of(endpoint: Endpoint, scheme: str) -> str:
    """The address to open in a browser; unix:PATH for a unix socket."""
    if endpoint.path:
        return str(endpoint)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(endpoint.host, endpoint.host)
    return f"{scheme}://{Endpoint(host, endpoint.port)}/"


def reachable_addresses(sockets: Sequence[socket.socket], scheme: str) -> list[str]:
    """Where other devices find what is served at all addresses of this machine."""
    endpoints = map(endpoint_of, sockets)
    found = [address_of(one._replace(host=host), scheme) for one in endpoints for host in reachable_at(one.host)]
    return list(dict.fromkeys(found))


def start_warnings(
    config: Config,
    application: Application | None,
    sockets: Sequence[socket.socket],
    *,
    reads_contents: bool,
    contents_folder: str | None,
) -> Iterator[str]:
    """What the owner of the process should know before the first request.

    `contents_folder` is where large contents are stored, if any are read; None: no folder can be written.
    """
    public = [name for name in (public_name(sock) for sock in sockets) if name]
    if public:
        yield (
            f"everyone who can reach {' or '.join(public)} can use {_what(config, application)}"
            f"{', with listings of folders' if config.listing or config.archive else ''};"
            f"{'' if config.encrypted else ' it is not encrypted.'} --{'bind' if config.bind else 'host'} 127.0.0.1"
            " keeps it to this machine"
        )
    if (warning := lock_warning()) is not None:
        yield warning
    if reads_contents and (problem := _folder_problem(contents_folder)):
        yield problem


def lock_warning() -> str | None:
    """Where a Python that could run threads in parallel (PEP 703) does not, when the application is imported."""
    if not (is_free_threaded() and has_lock()):
        return None
    return (
        "an extension module of the application has turned the interpreter's lock on, so its threads take turns;"
        " set PYTHON_GIL=0 if the module allows it, or use --workers auto"
    )


def parallel_hint(config: Config) -> str:
    """A further line of the greeting, where threads run in parallel (PEP 703) and more processes would be of use."""
    if has_lock() or config.app is None or config.workers > 1 or config.reload:
        return ""
    from tpserver.system.processors import processors  # not without need

    if processors() == 1:
        return ""
    return "\n  this Python runs threads in parallel; with --workers auto quick requests run on all processors, too"


def _what(config: Config, application: Application | None) -> str:
    name = config.app or getattr(application, "__name__", type(application).__name__)
    what = [os.path.abspath(config.root)] if config.root is not None else []
    what += [str(name)] if application is not None else []
    what += [f"{thing} for {pattern}" for pattern, thing in config.vhost]
    what += [f"{thing} at {os_text(prefix)}" for prefix, thing in config.mount]
    return " and ".join(what)


def public_name(sock: socket.socket) -> str | None:
    """Address and port that a socket listens on, where other devices may reach it."""
    endpoint = endpoint_of(sock)
    local = endpoint.path or endpoint.host.startswith(("127.", "::ffff:127.")) or endpoint.host == "::1"
    return None if local else str(endpoint)


def _folder_problem(used: str | None) -> str | None:
    """What is wrong with the folder that large contents are stored in."""
    wanted = named_folder()
    large = f"contents of requests above {LARGE // 1024**2} MiB"
    if used is None:
        return f"no temporary folder can be written: {large} get 503. Set TMPDIR to a folder that can be"
    if wanted and os.path.realpath(used) != os.path.realpath(wanted):
        return f"the temporary folder {wanted} cannot be written: {large} are stored in {used}"
    return None


def open_browser(addresses: Sequence[str]) -> None:
    """Opens the first of `addresses` that is no unix socket, in a thread: a browser in a terminal runs until left."""
    threading.Thread(target=_open_browser, args=(addresses,), daemon=True).start()


def _open_browser(addresses: Sequence[str]) -> None:
    import webbrowser

    url = next((address for address in addresses if not address.startswith("unix:")), "")
    if not url or not webbrowser.open(url):
        _log.warning("no browser could be opened; the address is %s", url or addresses[0])
