"""What a folder shows of the files in it: `--dot-files`, `--py-files` and `--hide`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tpserver.files import paths
from tpserver.files.codings import without_extension
from tpserver.files.rules import Glob


class HideRule:
    """Hides what its glob matches, everything below that, and the coded files beside it (`app.js.br`).

    It ignores case, as some file systems do.
    """

    __slots__ = ("_below", "_glob")

    def __init__(self, text: str) -> None:
        """Raises ValueError for a malformed glob."""
        text = comparable(text.removesuffix("/"))
        self._glob = Glob(text)
        self._below = Glob(f"{text}/**" if "/" in text else f"**/{text}/**")

    def matches(self, path: str) -> bool:
        """Whether it hides `path`, in the form of `comparable`. The time is that of `Glob.matches`, three times."""
        return self._glob.matches(path) or self._below.matches(path) or self._glob.matches(without_extension(path))


def parse_hide(text: str) -> HideRule:
    """A text such as "*.map" or "/private" -> a rule. Raises ValueError."""
    return HideRule(text)


def comparable(path: str) -> str:
    """A path in the form in which all its spellings are equal to a file system that ignores case or composition."""
    if path.isascii():
        return path.lower()
    from unicodedata import normalize

    return normalize("NFC", normalize("NFD", path).casefold())


class Shown:
    """What a folder shows. Immutable; any thread may call."""

    def __init__(self, *, dot_files: bool = False, py_files: bool = False, hide: Iterable[HideRule] = ()) -> None:
        self.dot_files = dot_files
        self.py_files = py_files
        self._hide = tuple(hide)
        self.hiding = bool(self._hide)  # whether a name may be hidden by a rule

    def hides(self, names: Sequence[str]) -> bool:
        """Whether `--hide` hides the whole path of these names, which are in the form of `os_text`."""
        if not self._hide or not names:
            return False
        path = comparable("/".join(names))
        return any(rule.matches(path) for rule in self._hide)

    def is_hidden(self, name: str) -> bool:
        """As `paths.is_hidden`, unless files with a dot in front are shown."""
        return not self.dot_files and paths.is_hidden(name)

    def is_code(self, path: str) -> bool:
        """As `paths.is_code`, unless Python files are shown."""
        return not self.py_files and paths.is_code(path)

    def is_program(self, path: str) -> bool:
        """As `paths.is_program`, unless Python files are shown."""
        return not self.py_files and paths.is_program(path)


DEFAULT = Shown()
