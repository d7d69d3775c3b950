"""Answers in place of an application that cannot be started, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import Final

_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>The application cannot be started</title>
<style>body{{font-family:sans-serif;margin:2em}}pre{{white-space:pre-wrap;background:#8882;padding:1em}}</style>
<h1>The application cannot be started</h1>
<p>{line}</p>
{details}<p>This page is loaded again when a file has changed.</p>
</html>
"""


class BrokenApplication:
    """An application whose every answer is the error that has kept the real one from starting. Any thread."""

    def __init__(self, line: str, details: str) -> None:
        """`line` and `details` (the traceback, or "") as they are to be read."""
        shown = f"<pre>{escape(details)}</pre>\n" if details else ""
        self._page = _PAGE.format(line=escape(line), details=shown).encode("utf-8", "backslashreplace")

    def __call__(self, environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
        """PEP 3333."""
        fields = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
        start_response("500 Internal Server Error", [*fields, ("Content-Length", str(len(self._page)))])
        return [self._page]
