"""Files that are opened to be served: something happens just then, and whether one is open."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    import _winapi


def before_opening(monkeypatch: pytest.MonkeyPatch, happens: Callable[[str], object]) -> None:
    """Calls `happens` with the path, or the part of it, that the system is going to be asked to open."""
    module, name = (_winapi, "CreateFile") if sys.platform == "win32" else (os, "open")
    opens = getattr(module, name)

    def opened(path: str, *how: Any, **more: Any) -> Any:
        happens(os.fspath(path))
        return opens(path, *how, **more)

    monkeypatch.setattr(module, name, opened)


def opened(path: Path) -> int:
    """How many descriptors of it this process has (Windows: 1 for more, too); none where the system does not tell."""
    if sys.platform == "win32":
        try:
            not_shared, existing = 0, _winapi.OPEN_EXISTING
            handle = _winapi.CreateFile(str(path), _winapi.GENERIC_READ, not_shared, 0, existing, 0, 0)
        except PermissionError:
            return 1
        _winapi.CloseHandle(handle)
        return 0
    names = []
    for descriptor in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return names.count(str(path))
