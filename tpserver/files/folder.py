"""A folder of files: finds the file, listing or redirect for a request path, and caches the files found.

A cached file is checked by `stat` once in every turn of the leader. Every request of a turn was sent before that
check, so an edit takes effect at once.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from tpserver.files.file import File, signature
from tpserver.files.found import Listing, Redirect
from tpserver.files.opening import CAREFUL, FOLDER, SCANS_DESCRIPTORS, open_below, open_file, out_of_descriptors
from tpserver.files.page_end import with_end
from tpserver.files.paths import os_text, segments, without_dots
from tpserver.files.protected import Protection
from tpserver.files.rules import FileRules
from tpserver.files.shown import DEFAULT, Shown
from tpserver.files.stored_names import is_too_long, served_on_windows, stored_path, tell_length
from tpserver.system.clock import clock

INDEX: Final = "index.html"
# Bytes of the largest file whose content is cached, and of all cached contents. Their heads are cached in addition.
SMALL: Final = 128 * 1024
MEMORY: Final = 32 * 1024 * 1024
# Bytes of a larger file that tell its charset.
SAMPLE: Final = 16 * 1024
# Files cached, with or without content; and the longest path that is cached, in bytes.
ENTRIES: Final = 4096
LONGEST: Final = 1024

# Errors that concern the process or the system, not the file.
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
# Further attempts where a link takes the place of a part of the path between its check and its opening.
_RETRIES: Final = 2
_LINK: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})

# Seconds for which the links in a cached file's path are trusted.
_VERIFIED_FOR: Final = 1.0
# Nanoseconds in which another edit may leave the same modification time: FAT has the coarsest of all file systems.
_MTIME_STEP_NS: Final = 2_000_000_000

# Turn numbers that the leader never uses.
_UNIQUE_TURNS: Final = itertools.count(-2, -1)


def fresh_look() -> int:
    """A turn number for `Folder.find` that no other call has: the file is checked now. Any thread."""
    return next(_UNIQUE_TURNS)


class Folder:
    """The files below `root`. Any thread may call; usually the leader does.

    A folder is answered by the first existing file of `index`. `try_html`: where no file has the name, the name with
    `.html` is tried before a folder. `rules` give fields and media types. `listing`: folders without an index are
    listed. `follow_links`: links may lead out of the root. `windows`: names are judged by the rules of Windows.
    `prefix`: the path of the root, as in a request ("/static"); all paths, and the globs of `rules`, are whole paths.
    `shown` says which names are served.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        index: Sequence[str] = (INDEX,),
        try_html: bool = False,
        rules: FileRules | None = None,
        listing: bool = False,
        follow_links: bool = False,
        windows: bool = sys.platform == "win32",
        prefix: str = "",
        shown: Shown = DEFAULT,
    ) -> None:
        self.root = os.path.abspath(root)
        self.prefix = prefix
        self.shown = shown
        self._prefix_names = tuple(os_text(prefix).split("/")[1:])
        self._index_names = tuple(index)
        self._try_html = try_html
        self._rules = rules or FileRules()
        self.windows = windows
        self._listing = listing
        self._follow_links = follow_links
        self._careful = CAREFUL and not follow_links
        self.protection: Protection | None = None  # what a listing leaves out
        self.page_end = b""  # is put behind pages
        self.real_root = ""  # the real path of the root when a path was last checked
        self._files: dict[str, File] = {}  # by request path; the oldest first
        self._memory = 0  # bytes of content in `_files`
        # Guards changes of `_files` and `_memory`; a lookup needs no lock.
        self._lock = threading.Lock()

    def find(self, path: str, turn: int) -> File | Listing | Redirect | None:
        """The object that a decoded request path names; None where there is none or it may not be served.

        `turn` is the number of the leader's turn: within one turn a file is checked once. Raises `RequestRefused`
        (503) where descriptors are exhausted.
        """
        file = self._files.get(path)
        if file is not None:
            if file.turn == turn:
                return file
            try:
                if (
                    signature(os.stat(file.name)) == file.signature
                    and not file.mtime_ambiguous  # else another edit may have left the same times
                    and not (file.earlier and any(map(os.path.isfile, file.earlier)))
                    and (clock.monotonic() - file.verified_at < _VERIFIED_FOR or self._still_leads_there(file))
                ):
                    file.turn = turn
                    return file
            except OSError:
                pass
            self.forget(path)
        return self._look_up(path, turn)

    def remembered(self, path: str) -> File | None:
        """The cached file of a request path, as it was when it was looked at last. Any thread."""
        return self._files.get(path)

    def _still_leads_there(self, file: File) -> bool:
        """Whether the links in the path of a file lead where they did; followed once a second."""
        file.verified_at = clock.monotonic()
        return self.real_path(file.name) == file.real

    def open(self, file: File) -> tuple[int, File]:
        """A descriptor of `file`, and the version that was opened. Raises OSError and `RequestRefused` (503)."""
        descriptor, status = self._open_real(file.real)
        return descriptor, file if signature(status) == file.signature else file.renewed(status)

    def open_entry(self, name: str) -> tuple[int, os.stat_result]:
        """A descriptor of the file at `name`, a path of this system, and its status. Any thread.

        Raises OSError where it may not be served, and `RequestRefused` (503).
        """
        real = self.real_path(name)
        if real is None or self.shown.is_code(real):
            raise FileNotFoundError(name)
        return self._open_real(real)

    def _open_real(self, real: str) -> tuple[int, os.stat_result]:
        """A descriptor of a path that `real_path` returned, and its status.

        Raises `RequestRefused` (503), and OSError, also where part of it is a link now or it is no regular file.
        """
        try:
            descriptor = open_below(self.real_root, real) if self._careful else open_file(real)
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise out_of_descriptors(error) from error
            raise
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise FileNotFoundError(real)
        return descriptor, status

    @contextlib.contextmanager
    def scan(self, real: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        """The entries of a folder that `real_path` returned; only their names are valid, not their paths.

        Raises OSError, also where part of the path is a link now. Any thread.
        """
        if not self._careful:
            with os.scandir(real) as found:
                yield found
            return
        descriptor = open_below(self.real_root, real, FOLDER)
        try:
            with os.scandir(descriptor if SCANS_DESCRIPTORS else real) as found:
                yield found
        finally:
            os.close(descriptor)

    def _look_up(self, path: str, turn: int) -> File | Listing | Redirect | None:
        if "/." in path:
            path = without_dots(path)
        names = segments(path, windows=self.windows, dot_files=self.shown.dot_files)
        if names is None or self.shown.is_program(path) or self.shown.hides(names):
            return None
        for _ in range(1 + _RETRIES):
            try:
                return self._look_up_once(path, names, turn)
            except OSError as error:  # removed meanwhile, or it cannot be read
                if not self._careful or error.errno not in _LINK:
                    break
        return None

    def _look_up_once(self, path: str, names: tuple[str, ...], turn: int) -> File | Listing | Redirect | None:
        depth = len(self._prefix_names)
        if names[:depth] != self._prefix_names:
            return None
        if depth and len(names) == depth and not path.endswith("/"):
            return Redirect(names)
        name = os.path.join(self.root, *names[depth:])
        real, mode = self._resolve(name)
        if stat.S_ISREG(mode):
            return None if path.endswith("/") or self.shown.is_code(real) else self._load(path, name, real, turn)
        if self._try_html and names and not path.endswith("/"):
            page, page_mode = self._resolve(name + ".html")
            if stat.S_ISREG(page_mode) and not self.shown.is_code(page):
                return self._load(path, name + ".html", page, turn, earlier=(name,))
        if stat.S_ISDIR(mode):
            return self._index(path, name, names, turn) or self._listed(path, name, real, names)
        return None

    def _resolve(self, name: str) -> tuple[str, int]:
        """The real path of `name` and its `st_mode`; "" and 0 where it does not exist or may not be served."""
        try:
            if not os.access(name, os.F_OK):  # first: the usual case where an application has most of the paths
                if self.windows and is_too_long(name):
                    tell_length(name)
                return "", 0
            real = self.real_path(name)
            return ("", 0) if real is None else (real, os.stat(real).st_mode)
        except (OSError, ValueError):  # removed meanwhile; a character that this system's names cannot have
            return "", 0

    def _index(self, path: str, name: str, names: tuple[str, ...], turn: int) -> File | Listing | Redirect | None:
        earlier: list[str] = []
        for index_name in self._index_names:
            index = os.path.join(name, index_name)
            real, mode = self._resolve(index)
            if stat.S_ISREG(mode) and not self.shown.is_code(real):
                if not path.endswith("/"):
                    return Redirect(names)
                return self._load(path, index, real, turn, earlier=tuple(earlier))
            earlier.append(index)
        return None

    def _listed(self, path: str, name: str, real: str, names: tuple[str, ...]) -> Listing | Redirect | None:
        if not self._listing or any(os.path.lexists(os.path.join(name, index)) for index in self._index_names):
            return None
        if not os.access(real, os.R_OK | os.X_OK):
            return None
        if os_text(path) != "/".join(["", *names, ""]):  # the page's links are relative
            return Redirect(names)
        return Listing(names, real)

    def place(self, name: str, root: str = "") -> str:
        """The path of a file by which globs match it: that of a request, as `os_text`, without its slash.

        `root` is the root as `name` has it, by default `self.root`. A name that is not below it stays as it is.
        """
        root = root or self.root
        if name != root and not name.startswith(os.path.join(root, "")):
            return name.replace(os.sep, "/")
        inside = name[len(root) :].replace(os.sep, "/").strip("/")
        return "/".join([*self._prefix_names, inside] if inside else self._prefix_names)

    def has_index(self, real: str) -> bool:
        """Whether a folder that `real_path` returned has an index file. Any thread."""
        return any(stat.S_ISREG(self._resolve(os.path.join(real, name))[1]) for name in self._index_names)

    def real_path(self, name: str) -> str | None:
        """The path of `name` with all links resolved; None where it may not be served. Any thread.

        It must be below the real root, unless `follow_links` is set. A link does not publish what is hidden: no
        part below the root may be hidden, nor the last one elsewhere. (On Windows a folder `.git` has a second, short
        name besides.)
        """
        try:
            root = self.real_root = os.path.realpath(self.root)
            real = os.path.realpath(name, strict=True)
        except (OSError, ValueError):
            return None
        below = root if root.endswith(os.sep) else root + os.sep
        if real != root and not real.startswith(below):
            return real if self._follow_links and not self._conceals([os.path.basename(real)]) else None
        parts = real[len(below) :].split(os.sep)
        if self._conceals(parts):
            return None
        try:
            served = not self.windows or served_on_windows(root, parts, dot_files=self.shown.dot_files)
        except OSError:  # removed meanwhile
            return None
        return real if served else None

    def _conceals(self, parts: Sequence[str]) -> bool:
        """Whether the names that lead to a real path from the root hide it."""
        return any(map(self.shown.is_hidden, parts)) or self.shown.hides([*self._prefix_names, *filter(None, parts)])

    def _load(self, path: str, name: str, real: str, turn: int, *, earlier: tuple[str, ...] = ()) -> File:
        """Raises OSError and `RequestRefused` (503)."""
        descriptor, status = self._open_real(real)
        with open(descriptor, "rb") as stream:
            sample = stream.read(SMALL + 1 if status.st_size <= SMALL else SAMPLE)
        # Of another size, it is being written: it is read from the disk when it is sent.
        content = sample if len(sample) == status.st_size else None
        rules = self._rules
        place = self.place(stored_path(self.root, name) if rules.look_at_names else name)
        coding = rules.coding(place, sample)
        media = rules.content_type(place, sample, coding)
        fields = rules.fields(place)
        file = File(name, real, status, content, coding=coding, media=media, fields=fields, earlier=earlier)
        file = with_end(file, self.page_end)
        file.turn = turn
        file.verified_at = clock.monotonic()
        file.mtime_ambiguous = clock.time() * 1e9 - file.modified < _MTIME_STEP_NS
        if len(path) <= LONGEST and "//" not in path and "/./" not in path:  # one spelling of each path
            self._cache(path, file)
        return file

    def _cache(self, path: str, file: File) -> None:
        size = len(file.content or b"")
        with self._lock:
            self._drop(path)  # two threads may have loaded it at once
            while self._files and (len(self._files) >= ENTRIES or self._memory + size > MEMORY):
                self._drop(next(iter(self._files)))
            self._files[path] = file
            self._memory += size

    def forget(self, path: str) -> None:
        """Drops the cached file of a request path. Any thread."""
        with self._lock:
            self._drop(path)

    def _drop(self, path: str) -> None:
        file = self._files.pop(path, None)
        if file is not None:
            self._memory -= len(file.content or b"")
