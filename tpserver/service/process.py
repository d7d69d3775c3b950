"""The process of a service: its log, its folder, its server, and what it tells the service manager."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from tpserver.config import Config
from tpserver.errors import TpserverError, UsageError
from tpserver.service.states import Service, Status
from tpserver.serving.serve import run

_OWN_PROCESS: Final = 0x10  # the type of the service (winnt.h)


def run_service(arguments: Sequence[str], parse: Callable[[Sequence[str]], Config]) -> int:
    """Serves as a service: name, log file, folder, then tpserver's options; returns the exit status.

    The main thread calls it, and serves: an application may set signal handlers. Raises `UsageError` where a user
    calls it.
    """
    service = Service()

    def connect() -> None:
        try:
            dispatch(service)
        finally:
            service.begun.set()

    threading.Thread(target=connect, name="tpserver-service", daemon=True).start()
    service.begun.wait()
    if not service.connected:
        raise UsageError("run-service is for the service manager of Windows; see python -m tpserver service --help")
    name, log, folder, *options = arguments
    try:
        _log_to(log)
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} service {name} starts: tpserver {' '.join(options)}")
        os.chdir(folder)
    except OSError as error:
        print(f"tpserver: error: {error}", file=sys.stderr)
        service.end(1, getattr(error, "winerror", None) or 0)
        return 1
    status = 1
    try:
        status = run(parse(options), stopped_by=service.running)
    except TpserverError as error:
        status = error.report()
    except Exception:  # noqa: BLE001 - it belongs into the log before the manager hears of the end
        traceback.print_exc()
    finally:
        service.end(status)
    return status


def dispatch(service: Service) -> None:
    """Has the manager know the service, until it has ended. Returns at once where no manager has started this."""
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        service_main = ctypes.WINFUNCTYPE(None, wintypes.DWORD, ctypes.c_void_p)
        handler_ex = ctypes.WINFUNCTYPE(
            wintypes.DWORD, wintypes.DWORD, wintypes.DWORD, ctypes.c_void_p, ctypes.c_void_p
        )
        api = ctypes.WinDLL("advapi32")
        api.RegisterServiceCtrlHandlerExW.restype = ctypes.c_void_p

        def main(count: int, arguments: int) -> None:
            handle = ctypes.c_void_p(api.RegisterServiceCtrlHandlerExW("", handler, None))

            def send(status: Status) -> None:
                api.SetServiceStatus(handle, (wintypes.DWORD * 7)(_OWN_PROCESS, *status))

            service.live(send)

        handler = handler_ex(lambda control, kind, data, context: service.control(control))
        started = service_main(main)
        # SERVICE_TABLE_ENTRYW: the name, which does not matter, and the function; then an empty one.
        name = ctypes.c_wchar_p("")
        table = (ctypes.c_void_p * 4)(
            ctypes.cast(name, ctypes.c_void_p), ctypes.cast(started, ctypes.c_void_p), None, None
        )
        api.StartServiceCtrlDispatcherW(table)


def _log_to(path: str) -> None:
    """Standard output and standard error go to a file from now on, which others may rename. Raises OSError."""
    if sys.platform == "win32":
        import ctypes

        from tpserver.system.windows_files import open_to_append

        # A process with a console is told when any user logs off.
        ctypes.WinDLL("kernel32").FreeConsole()
        descriptor = open_to_append(path)
    else:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout = open(1, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
