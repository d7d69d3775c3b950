"""The command `service`: installs, removes, starts, stops a service of Windows, and says how one is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from tpserver.config import Config
from tpserver.errors import UsageError
from tpserver.run import Server
from tpserver.service import manager
from tpserver.service.states import PENDING, WAIT_HINT, State

# The command of the process that is a service.
RUN: Final = "run-service"
# Seconds beyond the drain when the machine shuts down, for logs to be written and threads to end.
_ENDING: Final = 15.0
# Seconds between two looks at a service that starts or stops.
_LOOK: Final = 0.1


def service(
    action: str, name: str, log: str | None, options: Sequence[str], parse: Callable[[Sequence[str]], Config]
) -> int:
    """Does what the user asks for; returns the exit status. Raises `UsageError`, `StartError` and `ServiceError`.

    `options` are tpserver's own, which `parse` reads.
    """
    if not re.fullmatch(r"\w[\w.-]{0,79}", name):
        raise UsageError(f"the name of a service has letters, digits and - _ . only: not {name!r}")
    if action != "install" and (options or log):
        raise UsageError(f"service {action} takes the name of a service, and no options")
    if sys.platform == "win32":
        if action == "install":
            return _install(name, os.path.abspath(log or default_log(name)), options, parse(options))
        return _manage(action, name)
    raise UsageError("services are a matter of Windows; on Linux systemd starts tpserver, on macOS launchd")


def default_log(name: str) -> str:
    """The path of a service's log."""
    return os.path.join(os.environ.get("PROGRAMDATA", "C:\\ProgramData"), "tpserver", f"{name}.log")


def command_line(name: str, log: str, folder: str, options: Sequence[str]) -> str:
    """What the service manager starts, quoted as Windows's programs read it.

    The package is named by its path, so that one that is not installed is found, too.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return subprocess.list2cmdline([sys.executable, package, RUN, name, log, folder, *options])


if sys.platform == "win32":

    def _install(name: str, log: str, options: Sequence[str], config: Config) -> int:
        # Says now what is wrong: a folder that does not exist, an application that cannot be imported.
        redirect = min(config.redirect_http, 0)
        free = config.__replace__(bind=(), host="127.0.0.1", port=0, redirect_http=redirect, access_log="none")
        Server(free).server_close()
        folder = os.getcwd()
        # The file itself is made by the service, whose account could not write into one of an administrator.
        os.makedirs(os.path.dirname(log), exist_ok=True)
        line = command_line(name, log, folder, options)
        manager.create(name, line, f"HTTP server of {folder}", config.drain_timeout + _ENDING)
        print(f"service {name}: installed; log: {log}; python -m tpserver service start {name} starts it")
        return 0

    def _manage(action: str, name: str) -> int:
        access = {"start": manager.START, "stop": manager.STOP, "remove": manager.STOP | manager.DELETE}.get(action, 0)
        with manager.InstalledService(name, access) as installed:
            words = installed.command_line()
            if words[2:4] != [RUN, name]:
                raise UsageError(f"{name} is not a service that tpserver has installed")
            log = words[4]
            status = installed.status()
            if action == "start":
                if status.state == State.STOPPED:
                    installed.start()
                status = _settled(installed)
                if status.state != State.RUNNING:
                    why = f"it has not started ({status.end}); {log} says why, unless its account cannot write there"
                    raise manager.ServiceError(name, why)
            elif action != "status":
                if status.state not in (State.STOPPED, State.STOP_PENDING):
                    installed.stop()
                status = _settled(installed)
            if action == "remove":
                installed.delete()
            process = f" (process {status.process})" if status.process else ""
            state = "removed" if action == "remove" else status.state.name.lower().replace("_", " ")
            print(f"service {name}: {state}{process}; log: {log}")
            wanted = State.RUNNING if action in ("start", "status") else State.STOPPED
            return int(status.state != wanted)

    def _settled(installed: manager.InstalledService) -> manager.Status:
        """Waits while it starts or stops, and goes on saying so."""
        check_point, end = 0, time.monotonic() + WAIT_HINT
        while (status := installed.status()).state in PENDING and time.monotonic() < end:
            if status.check_point != check_point:
                check_point, end = status.check_point, time.monotonic() + WAIT_HINT
            time.sleep(_LOOK)
        return status
