"""What a developer does with `--reload`: starts it, edits files, and looks at the page."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.console import PATIENCE, Console, tpserver
from tests.waiting import eventually


def write(folder: Path, text: str, name: str = "part.py") -> None:
    """As editors do: the old file, or the new one. Windows replaces no file that is just being read."""

    def is_replaced() -> bool:
        try:
            (folder / "saved").replace(folder / name)
        except PermissionError:
            return False
        return True

    (folder / "saved").write_text(text + "\n", "utf-8")
    eventually(is_replaced, "the file cannot be replaced")


def serving(site: Path, *options: str, app: str = "main:app", **how: Any) -> Any:
    return tpserver(app, "--reload", "--access-log", "none", *options, cwd=site, **how)


def answer(console: Console, path: str = "/") -> str:
    """Status and content, without the script."""
    try:
        with urllib.request.urlopen(console.url + path, timeout=PATIENCE) as response:
            return f"{response.status} {response.read().decode()}".partition("\n<script>")[0]
    except urllib.error.HTTPError as error:
        return f"{error.status} {error.read().decode()}"


def until(console: Console, condition: Callable[[str], object]) -> None:
    def answers_so() -> bool:
        try:
            return bool(condition(answer(console)))
        except ConnectionError:  # it was accepted when the process that has just been replaced began to drain
            return False

    eventually(answers_so, "it never answers so")
