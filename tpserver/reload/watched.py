"""The files that `--reload` watches, and which of them have changed since the last look.

Only their times and sizes are compared: that works on every system and every disk, and costs about a millisecond for
a thousand files. Folders are read again when their own time says that a name has come or gone.
"""

from __future__ import annotations

import glob
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Final, NamedTuple

from tpserver.system.clock import clock

# The names of folders of templates, as Django, Flask and Jinja have them, and of those that an application serves.
_TEMPLATES: Final = frozenset({"templates", "jinja2"})
_STATIC: Final = "static"
# What a browser shows. Other files in a folder may be written by the application itself, such as a log.
_SHOWN: Final = (
    *(".html", ".htm", ".css", ".js", ".mjs", ".wasm"),
    *(".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".woff", ".woff2"),
)
# Files that are hidden, or that an editor has for a moment: Vim tries with 4913 whether it can write.
_PASSING: Final = re.compile(r"\..*|.*~|.*\.(tmp|pyc)|#.*#|4913|.*___jb_(tmp|old)___", re.DOTALL)
# Files that are watched in folders, at most: the rest of a larger tree is not.
MOST: Final = 10_000
# Files named in the log.
_NAMED: Final = 3

Stamp = tuple[int, int]


class Changes(NamedTuple):
    """Paths that have changed: `code` asks for a new process, `pages` for the browser to load its page again."""

    code: list[str]
    pages: list[str]


class Watched:
    """What one process watches. One thread at a time.

    `app_dir` and `folders`, those of applications elsewhere, have the folders of templates and `static`; `globs` are
    relative to `app_dir`; `served` are folders of files. `since`, seconds since 1970: what has changed after it has
    changed since the last look when it is looked at first. `all_code`: the Python files below these folders count,
    imported or not, since the import has failed; `files` are those that it has failed in, wherever they are.
    """

    def __init__(
        self,
        app_dir: str,
        globs: Sequence[str] = (),
        served: Iterable[str] = (),
        *,
        folders: Iterable[str] = (),
        files: Iterable[str] = (),
        since: float = inf,
        all_code: bool = False,
    ) -> None:
        self._app_dir = os.path.abspath(app_dir)
        self._globs = globs
        self._served = [os.path.abspath(folder) for folder in served]
        self._source_folders = [self._app_dir, *map(os.path.abspath, folders)]
        self._files = [*files]
        self._since = since
        self._all_code = all_code
        self._modules = 0  # in sys.modules, at the last look
        self._code: dict[str, Stamp | None] = {}  # None: it was not there at the last look
        self._pages: dict[str, Stamp | None] = {}
        self._folders: dict[str, Stamp | None] = {}  # whose names are known
        self._young = [path for path in self._read_folders().code if self._is_young(self._code[path])]

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

    def _read_folders(self) -> Changes:
        """Reads all folders again; the files that are new."""
        self._folders = {}
        code, pages = dict.fromkeys(self._files), dict[str, None]()
        self._find_sources(code, pages)
        self._find_globs(code)
        self._find_served(pages)
        return Changes(_add(self._code, code), _add(self._pages, pages))

    def _is_young(self, found: Stamp | None) -> bool:
        """Whether a file has changed since the process began. By a clock that is ahead it would do so for ever."""
        return found is not None and self._since < found[0] / 1e9 <= clock.time()

    def _find_sources(self, code: dict[str, None], pages: dict[str, None]) -> None:
        """Templates, what a browser shows in folders `static`, and all Python files where an import has failed."""
        seen: set[str] = set()
        for top in self._source_folders:
            for folder, names in _walk(top, seen, partial(_is_entered, top)):
                kind = _kind(top, folder)
                if kind is not None or self._all_code:
                    self._folders[folder] = stamp(folder)
                for name in names:
                    if kind == _STATIC:
                        if _is_shown(name):
                            pages[os.path.join(folder, name)] = None
                    elif kind is not None or (self._all_code and name.endswith(".py")):
                        code[os.path.join(folder, name)] = None

    def _find_globs(self, code: dict[str, None]) -> None:
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
                    code[path] = None

    def _find_served(self, pages: dict[str, None]) -> None:
        for top in self._served:
            for folder, names in _walk(top, set(), lambda path: True):
                self._folders[folder] = stamp(folder)
                pages.update((os.path.join(folder, name), None) for name in names if _is_shown(name))


def files_of(error: BaseException) -> list[str]:
    """The files of Python that an exception and its causes have passed, or that could not be compiled."""
    files: dict[str, None] = {}
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, SyntaxError) and one.filename is not None:
            files[one.filename] = None
        files.update((frame.f_code.co_filename, None) for frame, _ in traceback.walk_tb(one.__traceback__))
        left += one.__cause__, one.__context__
    return [os.path.abspath(path) for path in files if os.path.isfile(path)]


def described(paths: Sequence[str], folder: str) -> str:
    """What the log says of paths that have changed: those below `folder` by their relative paths."""
    gone = [path for path in paths if stamp(path) is None]
    changed = [path for path in paths if path not in gone]
    told = []
    for some, one, several in ((changed, "has changed", "have changed"), (gone, "is gone", "are gone")):
        if some:
            names = ", ".join(path.removeprefix(os.path.join(folder, "")) for path in some[:_NAMED])
            more = f" and {len(some) - _NAMED} more" if len(some) > _NAMED else ""
            told.append(f"{names}{more} {one if len(some) == 1 else several}")
    return " and ".join(told)


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


def _add(known: dict[str, Stamp | None], found: Iterable[str]) -> list[str]:
    """Those of `found` that are not known yet; they are from now on."""
    new = [path for path in found if path not in known][: max(0, MOST - len(known))]
    known.update((path, stamp(path)) for path in new)
    return new


def _is_shown(name: str) -> bool:
    return name.lower().endswith(_SHOWN)


def _kind(top: str, folder: str) -> str | None:
    """The first name below `top` that says what the files are for: a folder of templates, or `static`."""
    names = folder.removeprefix(top).split(os.sep)
    return next((name for name in names if name in _TEMPLATES or name == _STATIC), None)


def _is_entered(top: str, folder: str) -> bool:
    """Links elsewhere may lead to anything, such as a disk full of data."""
    return not os.path.islink(folder) or _kind(top, folder) is not None


def _walk(top: str, seen: set[str], enters: Callable[[str], object]) -> Iterator[tuple[str, list[str]]]:
    """Folders with the names of their files, but for what is hidden, installed, or an editor's own.

    `seen` has the real paths of the folders so far: links may lead to one again. `enters`: whether to enter a folder.
    """
    left = MOST
    for folder, folders, names in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or "pyvenv.cfg" in names:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name not in ("__pycache__", "node_modules")
            and enters(os.path.join(folder, name))
        ]
        yield folder, [name for name in names if _PASSING.fullmatch(name) is None]
        left -= 1 + len(names)
        if left < 0:
            return
