"""The files that `--reload` watches, and which of them have changed since the last look.

Only their times and sizes are compared: that works on every system and every disk, and costs about a millisecond for
a thousand files. Folders are read again when their own time says that a name has come or gone.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Final, NamedTuple

from tpserver.system.clock import clock

# The names of folders of templates, as Django, Flask and Jinja have them.
_TEMPLATES: Final = frozenset({"templates", "jinja2"})
# What a browser shows. Other files in a folder may be written by the application itself, such as a log.
_SHOWN: Final = (
    *(".html", ".htm", ".css", ".js", ".mjs", ".wasm"),
    *(".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".woff", ".woff2"),
)
# Files that are watched in folders, at most: the rest of a larger tree is not.
MOST: Final = 10_000

Stamp = tuple[int, int]


class Changes(NamedTuple):
    """Paths that have changed: `code` asks for a new process, `pages` for the browser to load its page again."""

    code: list[str]
    pages: list[str]


class Watched:
    """What one process watches. One thread at a time.

    `app_dir` has the folders of templates, and what `globs` are relative to; `served` are folders of files. `since`,
    seconds since 1970: what has changed after it has changed since the last look when it is looked at first.
    `all_code`: the Python files below `app_dir` count, imported or not, since the import has failed.
    """

    def __init__(
        self,
        app_dir: str,
        globs: Sequence[str] = (),
        served: Iterable[str] = (),
        *,
        since: float = inf,
        all_code: bool = False,
    ) -> None:
        self._app_dir = os.path.abspath(app_dir)
        self._globs = globs
        self._served = [os.path.abspath(folder) for folder in served]
        self._since = since
        self._all_code = all_code
        self._modules = 0  # in sys.modules, at the last look
        self._code: dict[str, Stamp | None] = {}  # None: it was not there at the last look
        self._pages: dict[str, Stamp | None] = {}
        self._folders: dict[str, Stamp | None] = {}  # whose names are known
        self._young = self._read_folders(first=True).code

    @property
    def folders(self) -> set[str]:
        """All that have a file which is watched."""
        return {os.path.dirname(path) for path in (*self._code, *self._pages)} | self._folders.keys()

    def look(self) -> Changes:
        """What has changed since the last look."""
        changes = Changes(self._young, [])
        self._young = []
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            for path in module_files():
                if path not in self._code:
                    self._code[path] = found = stamp(path)
                    if self._is_young(found):
                        changes.code.append(path)
        changes.code.extend(_changed(self._code))
        changes.pages.extend(_changed(self._pages))
        if any(stamp(path) != known for path, known in self._folders.items()):
            code, pages = self._read_folders()
            changes.code.extend(code)
            changes.pages.extend(pages)
        return changes

    def _read_folders(self, *, first: bool = False) -> Changes:
        """Reads all folders again; the files that are new."""
        self._folders = {}
        code = [path for path in self._code_files() if path not in self._code]
        pages = [path for folder in self._served for path in self._files(folder) if path not in self._pages]
        for known, new in ((self._code, code), (self._pages, pages)):
            known.update((path, stamp(path)) for path in new[: MOST - len(known)])
        if first:
            return Changes([path for path in code if self._is_young(self._code.get(path))], [])
        return Changes(code, pages)

    def _is_young(self, found: Stamp | None) -> bool:
        """Whether a file has changed since the process began. By a clock that is ahead it would do so for ever."""
        return found is not None and self._since < found[0] / 1e9 <= clock.time()

    def _code_files(self) -> Iterator[str]:
        """Templates, what the globs name, and all Python files where an import has failed."""
        for folder, names in _walk(self._app_dir):
            in_templates = not _TEMPLATES.isdisjoint(os.path.relpath(folder, self._app_dir).split(os.sep))
            if in_templates or self._all_code:
                self._folders[folder] = stamp(folder)
            for name in names:
                if in_templates or (self._all_code and name.endswith(".py")):
                    yield os.path.join(folder, name)
        for pattern in self._globs:
            base = os.path.join(self._app_dir, pattern)
            while glob.has_magic(base):
                base = os.path.dirname(base)
            self._folders[base] = stamp(base)
            for path in glob.iglob(os.path.join(glob.escape(self._app_dir), pattern), recursive=True):
                if os.path.isdir(path):
                    self._folders[path] = stamp(path)
                else:
                    self._folders[os.path.dirname(path)] = stamp(os.path.dirname(path))
                    yield path

    def _files(self, served: str) -> Iterator[str]:
        for folder, names in _walk(served):
            self._folders[folder] = stamp(folder)
            for name in names:
                if name.lower().endswith(_SHOWN):
                    yield os.path.join(folder, name)


def stamp(path: str) -> Stamp | None:
    """What changes when a file or a folder does: its time in nanoseconds, and its size. None: it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def module_files() -> Iterator[str]:
    """The files of all modules that are imported."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if type(path) is str:
            yield os.path.abspath(path)


def _changed(files: dict[str, Stamp | None]) -> list[str]:
    changed = []
    for path, known in list(files.items()):
        found = stamp(path)
        if found == known:
            if found is None:  # gone at two looks: not just being replaced
                del files[path]
                changed.append(path)
        else:
            files[path] = found
            if found is not None:
                changed.append(path)
    return changed


def _walk(top: str) -> Iterator[tuple[str, list[str]]]:
    """Folders with the names of their files, but for what is hidden, installed, or an editor's own."""
    left = MOST
    for folder, folders, names in os.walk(top):
        if "pyvenv.cfg" in names:
            folders.clear()
            continue
        folders[:] = [one for one in folders if not one.startswith(".") and one not in ("__pycache__", "node_modules")]
        yield folder, [name for name in names if not name.startswith(".") and not name.endswith(("~", ".tmp", ".pyc"))]
        left -= 1 + len(names)
        if left < 0:
            return
