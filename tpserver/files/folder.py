"""The folder behind a URL: from a path to a file in it, and the memory of those asked for lately.

A file is what `stat` says of it now: it is looked at once in every turn of the leader, and every
request of that turn was sent before, so an edit shows at once.
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
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from tpserver.errors import RequestRefused
from tpserver.files.file import File, signature
from tpserver.files.opening import CAREFUL, FOLDER, open_below, open_file
from tpserver.files.paths import allowed, is_code, is_program, os_text, segments, url_name
from tpserver.files.rules import FileRules
from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")

INDEX: Final = "index.html"
# Files up to so many bytes are kept in memory (and once more behind their heads); together not more than the second
# figure.
SMALL: Final = 128 * 1024
MEMORY: Final = 32 * 1024 * 1024
# Entries kept, whatever their size; a path that is longer (in bytes) is looked up each time.
ENTRIES: Final = 4096
LONGEST: Final = 1024

# The system cannot open one more file just now: that says nothing about the file.
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
# How often a path is looked at anew when a link is put into it between the look and the opening.
_AGAIN: Final = 2
_LINK: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})


# Numbers of turns that no leader has.
_LOOKS: Final = itertools.count(-2, -1)


def fresh_look() -> int:
    """For `Folder.find`, where no turn of the leader is at hand: the file is looked at now. Any thread."""
    return next(_LOOKS)


class _Moved(Exception):
    """A path does not lead any more where it did when it was looked at."""


class Redirect(NamedTuple):
    """A folder asked for without its slash. `location` is a path of this server, percent-encoded."""

    location: str


# Seconds between two looks where the links in a remembered file's path lead.
_PROOF: Final = 1.0
# Nanoseconds: the coarsest clock of a file system is that of FAT.
_TICK_NS: Final = 2_000_000_000


class Listing(NamedTuple):
    """A folder without an index, to be listed: the names that lead to it from the root, and its real path."""

    names: tuple[str, ...]
    real: str


def content_may_be_stale(mtime_ns: int) -> bool:
    """Whether a file modified then may be edited once more without another time: its system's clock has ticks."""
    return clock.time() * 1e9 - mtime_ns < _TICK_NS


def no_room(error: OSError) -> RequestRefused:
    """503 for a file that cannot be opened for want of descriptors or memory."""
    _log.error("cannot open a file to send it: %s", error.strerror)
    return RequestRefused(503, "The server has too much to do. Try again in a moment.", fields=(("Retry-After", "1"),))


class Folder:
    """The files below `root`. Any thread may call; the leader does as a rule.

    A folder is answered by the first file of it that `index` names. With `try_html` a path that no file has is
    tried with `.html` behind it, before it is taken for a folder. `rules` say what files are sent with. With
    `follow_links` whoever can make a link below `root` decides what is served.
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
    ) -> None:
        self.root = os.path.abspath(root)
        self._index_names = tuple(index)
        self._try_html = try_html
        self._rules = rules or FileRules()
        self.windows = windows  # names are judged by the rules of Windows
        self._listing = listing  # folders without an index are listed
        self._follow_links = follow_links  # links may lead out of the root
        self._real_root = ""  # where the root lay when a path was last looked at
        self._files: dict[str, File] = {}
        self._memory = 0  # bytes of content kept
        # Guards what is added to and taken from `_files` and `_memory`; looking up needs none.
        self._lock = threading.Lock()
        self.variants: Any = None  # `Variants`, where its files are sent in content codings

    def find(self, path: str, turn: int) -> File | Listing | Redirect | None:
        """What a decoded request path stands for; None for what is not there or may not be served.

        Raises `RequestRefused` (503) where the system cannot open one more file.

        `turn` numbers the leader's turns: in one and the same a file is looked at once.
        """
        file = self._files.get(path)
        if file is not None:
            if file.turn == turn:
                return file
            try:
                now = os.stat(file.name)
                if (
                    # `signature(now)`, without the call
                    (now.st_mtime_ns, now.st_ctime_ns, now.st_size, now.st_ino, now.st_dev) == file.signature
                    and not file.young  # else another edit may have left the same times
                    and not (file.earlier and any(map(os.path.isfile, file.earlier)))
                    and (clock.monotonic() - file.proved < _PROOF or self._still_leads_there(file))
                ):
                    file.turn = turn
                    return file
            except OSError:
                pass
            self.forget(path)
        return self._look(path, turn)

    def _still_leads_there(self, file: File) -> bool:
        """Whether the links in a file's name lead where they did; followed anew once a second."""
        file.proved = clock.monotonic()
        return self.real_path(file.name) == file.real

    def open(self, file: File) -> tuple[int, File]:
        """A descriptor of `file`, and what it is now: the version that was opened is sent. Raises OSError."""
        try:
            descriptor = self._open_real(file.real)
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise no_room(error) from error
            raise
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise FileNotFoundError(file.real)
        if signature(status) == file.signature:
            return descriptor, file
        return descriptor, file.renewed(status)

    def _open_real(self, real: str) -> int:
        """A descriptor of what `real_path` has told. Raises OSError, also where a link has come into it since."""
        if CAREFUL and not self._follow_links:
            return open_below(self._real_root, real)
        return open_file(real)

    @contextlib.contextmanager
    def scan(self, real: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        """What is in a folder that `real_path` has told; the entries have names, but not all have a path.

        Raises OSError, also where a link has come into it since. Any thread.
        """
        if not CAREFUL or self._follow_links or os.scandir not in os.supports_fd:
            with os.scandir(real) as found:
                yield found
            return
        descriptor = open_below(self._real_root, real, FOLDER)
        try:
            with os.scandir(descriptor) as there:
                yield there
        finally:
            os.close(descriptor)

    def _look(self, path: str, turn: int) -> File | Listing | Redirect | None:
        names = segments(path, windows=self.windows)
        if names is None or is_program(path):
            return None
        for _ in range(_AGAIN):
            try:
                return self._look_once(path, names, turn)
            except _Moved:
                pass
        try:
            return self._look_once(path, names, turn)
        except _Moved:
            return None

    def _look_once(self, path: str, names: tuple[str, ...], turn: int) -> File | Listing | Redirect | None:
        name = os.path.join(self.root, *names)
        real, mode = self._there(name)
        if stat.S_ISREG(mode):
            return None if path.endswith("/") or is_code(real) else self._load(path, name, real, turn)
        if self._try_html and names and not path.endswith("/"):
            page, page_mode = self._there(name + ".html")
            if stat.S_ISREG(page_mode) and not is_code(page):
                return self._load(path, name + ".html", page, turn, earlier=(name,))
        if stat.S_ISDIR(mode):
            return self._index(path, name, names, turn) or self._listed(path, name, real, names)
        return None

    def _there(self, name: str) -> tuple[str, int]:
        """The real path of `name` and its mode (`st_mode`); "" and 0 for what is not there, or may not be reached."""
        try:
            if not os.access(name, os.F_OK):  # the usual answer where an application has most of the paths
                return "", 0
            real = self.real_path(name)
            return ("", 0) if real is None else (real, os.stat(real).st_mode)
        except (OSError, ValueError):  # gone again; a character that this system's names cannot have
            return "", 0

    def _index(self, path: str, name: str, names: tuple[str, ...], turn: int) -> File | Listing | Redirect | None:
        earlier: list[str] = []
        for index_name in self._index_names:
            index = os.path.join(name, index_name)
            real, mode = self._there(index)
            if stat.S_ISREG(mode) and not is_code(real):
                if not path.endswith("/"):
                    # Made of the names, not of what came: it can only lead to a path of this server.
                    return Redirect("/" + quote(os.fsencode("/".join(names))) + "/")
                return self._load(path, index, real, turn, earlier=tuple(earlier))
            earlier.append(index)
        return None

    def _listed(self, path: str, name: str, real: str, names: tuple[str, ...]) -> Listing | Redirect | None:
        if not self._listing or any(os.path.lexists(os.path.join(name, index)) for index in self._index_names):
            return None
        if not os.access(real, os.R_OK | os.X_OK):
            return None
        if os_text(path) != "/".join(["", *names, ""]):  # the page's links are relative
            return Redirect("/" + "".join(url_name(one) + "/" for one in names))
        return Listing(names, real)

    def has_index(self, real: str) -> bool:
        """Whether a folder that `real_path` has told is answered by a file of its own. Any thread."""
        return any(stat.S_ISREG(self._there(os.path.join(real, name))[1]) for name in self._index_names)

    def real_path(self, name: str) -> str | None:
        """The real path of `name` when that may be served: links are judged by where they lead.

        That has to be below the real root, unless links are followed wherever they lead. On Windows no
        part of it may be hidden: a folder `.git` has a short name there, and that may be anything.
        """
        try:
            root = self._real_root = os.path.realpath(self.root)
            real = os.path.realpath(name, strict=True)
        except (OSError, ValueError):
            return None
        below = root if root.endswith(os.sep) else root + os.sep
        if real != root and not real.startswith(below):
            return real if self._follow_links else None
        if self.windows and not all(allowed(part, windows=True) for part in real[len(below) :].split(os.sep) if part):
            return None
        return real

    def _load(self, path: str, name: str, real: str, turn: int, *, earlier: tuple[str, ...] = ()) -> File | None:
        try:
            descriptor = self._open_real(real)
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise no_room(error) from error
            if CAREFUL and error.errno in _LINK:
                raise _Moved from None
            return None
        with open(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            try:
                content = stream.read(SMALL + 1) if status.st_size <= SMALL else None
            except OSError:  # a failing disk, or what only looks like a file
                return None
        if content is not None and len(content) != status.st_size:
            content = None  # it is being written just now: sent from the disk, as it is then
        place = name[len(self.root) :].replace(os.sep, "/").lstrip("/")
        fields, media = self._rules.fields(place), self._rules.media_type(place)
        file = File(name, real, status, content, media=media, fields=fields, earlier=earlier)
        file.turn = turn
        file.proved = clock.monotonic()
        file.young = content is not None and content_may_be_stale(file.signature[0])
        if len(path) <= LONGEST and "//" not in path and "/./" not in path:  # one spelling of each
            self._keep(path, file)
        return file

    def _keep(self, path: str, file: File) -> None:
        with self._lock:
            replaced = self._files.pop(path, None)  # two threads may have looked at once
            if replaced is not None:
                self._memory -= len(replaced.content or b"")
            size = len(file.content or b"")
            while self._files and (len(self._files) >= ENTRIES or self._memory + size > MEMORY):
                oldest = self._files.pop(next(iter(self._files)))
                self._memory -= len(oldest.content or b"")
            self._files[path] = file
            self._memory += size

    def forget(self, path: str) -> None:
        """What is remembered of a path does not hold any more."""
        with self._lock:
            file = self._files.pop(path, None)
            if file is not None:
                self._memory -= len(file.content or b"")
