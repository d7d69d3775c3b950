"""Windows: what its service manager is asked, by advapi32. The names and values are those of winsvc.h."""

from __future__ import annotations

import sys
from typing import Final, NamedTuple, TypeVar

from tpserver.errors import TpserverError
from tpserver.service.states import SPECIFIC, Control, State

# Errors of winerror.h, and what they mean here.
_MEANINGS: Final = {
    5: "access denied; run it as administrator",
    1060: "there is no such service",
    1061: "it starts or stops just now; try again later",
    1072: "it is marked for deletion; close what shows services, such as services.msc, and try again",
    1073: "it exists already; python -m tpserver service remove {name} removes it",
}


class ServiceError(TpserverError):
    """Windows has refused to do something with a service, or the service has failed."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"service {name}: {text}")


def explained(name: str, number: int, text: str) -> str:
    """What to do about an error of winerror.h, or its own `text`."""
    meaning = _MEANINGS.get(number)
    return f"{text.rstrip('. ')} (error {number})" if meaning is None else meaning.format(name=name)


class Status(NamedTuple):
    """What the manager knows of a service."""

    state: State
    end: str  # how it has ended
    check_point: int
    process: int


if sys.platform == "win32":
    import ctypes
    import winreg
    from ctypes import wintypes

    class _Handle(ctypes.c_void_p):
        """SC_HANDLE."""

    _API: Final = ctypes.WinDLL("advapi32", use_last_error=True)
    _API.OpenSCManagerW.restype = _API.OpenServiceW.restype = _API.CreateServiceW.restype = _Handle
    _SPLIT: Final = ctypes.WinDLL("shell32").CommandLineToArgvW
    _SPLIT.restype = ctypes.POINTER(wintypes.LPWSTR)

    # Rights.
    _CONNECT, _CREATE, _ALL, _STATUS = 0x1, 0x2, 0xF01FF, 0x4
    START, STOP, DELETE = 0x10, 0x20, 0x10000
    _OWN_PROCESS, _AUTO_START, _ERROR_NORMAL = 0x10, 2, 1
    _ACCOUNT: Final = "NT AUTHORITY\\LocalService"
    # Parts of a configuration.
    _DESCRIPTION, _FAILURE_ACTIONS, _FAILURE_ACTIONS_FLAG, _PRESHUTDOWN_INFO = 1, 2, 4, 7
    _INVALID_LEVEL: Final = 124  # wine does not know all of them
    # Milliseconds before a restart, after the first, the second and further failures; and when they are forgotten.
    _RESTARTS: Final = (1_000, 10_000, 60_000)
    _RESTART: Final = 1
    _DAY: Final = 24 * 3600
    _LONGEST: Final = 2**31 - 1  # milliseconds

    _Result = TypeVar("_Result")

    class _FailureActions(ctypes.Structure):
        """SERVICE_FAILURE_ACTIONSW."""

        _fields_ = (
            ("reset_period", wintypes.DWORD),
            ("reboot_message", wintypes.LPWSTR),
            ("command", wintypes.LPWSTR),
            ("count", wintypes.DWORD),
            ("actions", ctypes.c_void_p),
        )

    def _checked(name: str, result: _Result) -> _Result:
        if not result:
            number = ctypes.get_last_error()
            raise ServiceError(name, explained(name, number, ctypes.FormatError(number)))
        return result

    def create(name: str, command_line: str, description: str, stop_seconds: float) -> None:
        """Makes a service that starts with Windows, and is restarted when it fails. Raises `ServiceError`.

        It may take `stop_seconds` to stop when the machine shuts down.
        """
        manager = _checked(name, _API.OpenSCManagerW(None, None, _CONNECT | _CREATE))
        kind = _OWN_PROCESS, _AUTO_START, _ERROR_NORMAL
        # It starts as soon as Windows does: where its address is not there yet, a restart finds it.
        made = _API.CreateServiceW(
            *(manager, name, f"{name} (tpserver)", _ALL, *kind, command_line, None, None, None, _ACCOUNT, None)
        )
        service = _checked(name, made)
        restarts = (wintypes.DWORD * 6)(*(value for delay in _RESTARTS for value in (_RESTART, delay)))
        actions = ctypes.cast(restarts, ctypes.c_void_p)
        for level, value in (
            (_DESCRIPTION, wintypes.LPWSTR(description)),
            (_FAILURE_ACTIONS, _FailureActions(_DAY, None, None, len(_RESTARTS), actions)),
            (_FAILURE_ACTIONS_FLAG, wintypes.BOOL(True)),  # also after an end that it has reported
            (_PRESHUTDOWN_INFO, wintypes.DWORD(min(int(stop_seconds * 1000), _LONGEST))),
        ):
            done = _API.ChangeServiceConfig2W(service, level, ctypes.byref(value))
            _checked(name, done or ctypes.get_last_error() == _INVALID_LEVEL)
        _API.CloseServiceHandle(service)
        _API.CloseServiceHandle(manager)

    class InstalledService:
        """A service that exists, opened with the rights `access`. Raises `ServiceError`, as its methods do."""

        def __init__(self, name: str, access: int) -> None:
            self._name = name
            manager = _checked(name, _API.OpenSCManagerW(None, None, _CONNECT))
            self._handle = _checked(name, _API.OpenServiceW(manager, name, _STATUS | access))
            _API.CloseServiceHandle(manager)

        def __enter__(self) -> InstalledService:
            return self

        def __exit__(self, *_: object) -> None:
            _API.CloseServiceHandle(self._handle)

        def command_line(self) -> list[str]:
            """The program that is started, and its arguments; of a driver perhaps nothing."""
            place = f"SYSTEM\\CurrentControlSet\\Services\\{self._name}"
            try:
                with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
                    line, _ = winreg.QueryValueEx(key, "ImagePath")
            except FileNotFoundError:
                return []
            count = ctypes.c_int()
            words = _SPLIT(line, ctypes.byref(count))
            return [words[number] for number in range(count.value)]

        def start(self) -> None:
            """Has the manager start it, without waiting."""
            _checked(self._name, _API.StartServiceW(self._handle, 0, None))

        def stop(self) -> None:
            """Has the manager stop it, without waiting."""
            _checked(self._name, _API.ControlService(self._handle, Control.STOP, (wintypes.DWORD * 7)()))

        def delete(self) -> None:
            """Removes it, as soon as it has stopped and no program has it open."""
            _checked(self._name, _API.DeleteService(self._handle))

        def status(self) -> Status:
            """What the manager knows of it."""
            values, needed = (wintypes.DWORD * 9)(), wintypes.DWORD()
            size = ctypes.sizeof(values)
            _checked(self._name, _API.QueryServiceStatusEx(self._handle, 0, values, size, ctypes.byref(needed)))
            _, state, _, exit_code, specific, check_point, _, process, _ = values
            own = exit_code == SPECIFIC
            end = f"exit status {specific}" if own else f"error {exit_code}, {ctypes.FormatError(exit_code)}"
            return Status(State(state), end, check_point, process)
