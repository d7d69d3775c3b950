"""Request path -> names of folders and a file. Unsafe paths are refused before any system call.

The rules for Windows apply where the parameter `windows` is true, so they are tested on every system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tpserver.http.target import percent_encoded

# Device names that Windows opens in every folder, with any extension ("Naming Files", Win32 documentation).
_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
    | {f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789\u00b9\u00b2\u00b3"}
)
# Characters with a special meaning on Windows: streams and drives, wildcards, quotes, redirection, pipes.
_WINDOWS_SPECIAL: Final = re.compile(r'[\x00-\x1f:*?"<>|]')
# All but the unreserved characters of RFC 3986, section 2.3.
_RESERVED: Final = re.compile(r"[^A-Za-z0-9\-._~]")

# The one name with a leading dot that is served (RFC 8615).
WELL_KNOWN: Final = ".well-known"

# A longer path, in characters and without empty segments, is none of a file (PATH_MAX): it is not looked at.
_LONGEST: Final = 4096


def without_dots(path: str) -> str:
    """A decoded path without its segments `.`, as every browser asks for it (RFC 3986 section 5.2.4)."""
    parts = path.split("/")
    if parts[-1] == ".":
        parts.append("")  # "/a/." is "/a/", a folder
    return "/".join([part for part in parts if part != "."])


def names_of(path: str) -> list[str]:
    """The names in a decoded path, without empty segments and `.`, which files ignore."""
    return [name for name in path.split("/") if name not in ("", ".")]


def resolved(names: Iterable[str]) -> list[str]:
    """The names without `..` and those before it, as RFC 3986 section 5.2.4."""
    found: list[str] = []
    for name in names:
        if name != "..":
            found.append(name)
        elif found:
            found.pop()
    return found


def segments(path: str, *, windows: bool, dot_files: bool = False) -> tuple[str, ...] | None:
    """A decoded path ("/a/b.html", its bytes as latin-1) -> its names ("a", "b.html"); None where one is not allowed.

    Empty segments are dropped, so a path that ends in a slash gives the names of the folder. The names are in the form
    of `os_text`. `dot_files` as `allowed`.
    """
    if "\0" in path or "\\" in path:
        return None
    names = tuple(filter(None, os_text(path).split("/")))
    if len(path) > _LONGEST and sum(map(len, names)) + len(names) > _LONGEST:
        return None
    return names if all(allowed(name, windows=windows, dot_files=dot_files) for name in names) else None


def allowed(name: str, *, windows: bool, dot_files: bool = False) -> bool:
    """Whether a request may name a file or folder `name`, one segment in the form of `segments`.

    `dot_files`: also with a dot in front.
    """
    if name.startswith(".") and name != WELL_KNOWN and (not dot_files or name in (".", "..")):
        return False  # hidden, "." and ".."
    return "\\" not in name and not (windows and not allowed_on_windows(name))


def is_hidden(name: str) -> bool:
    """Whether a link to the file or folder `name` publishes nothing: `.env` and `.git`, that is one dot in front.

    Kubernetes mounts a ConfigMap as links to a folder whose name begins with two dots, `..data`.
    """
    return name[:1] == "." and name[:2] != ".." and name != WELL_KNOWN


def os_text(path: str) -> str:
    """The bytes of a path as latin-1 (PEP 3333) -> text for `os`: UTF-8, undecodable bytes as surrogates (PEP 383)."""
    return path.encode("latin-1").decode("utf-8", "surrogateescape")


def url_name(name: str) -> str:
    """A name in the form of `segments` -> its percent-encoded form; slash, colon and quotes are encoded too."""
    return _RESERVED.sub(percent_encoded, name.encode("utf-8", "surrogateescape").decode("latin-1"))


def allowed_on_windows(name: str) -> bool:
    """Whether `name` can, on Windows, only be a file of exactly that name in its folder."""
    if _WINDOWS_SPECIAL.search(name) or name[-1] in ". " or any("\ud800" <= char <= "\udfff" for char in name):
        return False
    if re.search(r"~[0-9]", name):
        return False  # a short 8.3 name: the second name of a file whose first may be hidden
    return name.partition(".")[0].strip(" ").upper() not in _DEVICES


def is_code(path: str) -> bool:
    """Whether the path is that of a Python file, source or compiled: these are never sent."""
    return path.lower().endswith((".py", ".pyc", ".pyo", ".pyw"))


def is_program(path: str) -> bool:
    """Whether the path ends in `.py`: such a request always goes to the application."""
    return path[-3:].lower() == ".py"
