"""Which lines of `tpserver/http` a call reaches: what has reached a new one is worth to be changed further."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import tpserver.http

_FOLDER = str(tpserver.http.__path__[0])


def reached(call: Callable[[], object]) -> frozenset[tuple[str, int, int]]:
    """(file, line before, line) for each step that the call takes in `tpserver/http`; slows it down some ten times."""
    steps: set[tuple[str, int, int]] = set()

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(_FOLDER):
            return None
        before = 0

        def on_line(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            steps.add((name, before, frame.f_lineno))
            before = frame.f_lineno
            return on_line

        return on_line

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        call()
    finally:
        sys.settrace(before)
    return frozenset(steps)
