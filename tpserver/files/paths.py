"""From the path of a request to the names of folders and a file: what is refused before any system call.

The rules for Windows are applied where `windows` is true, so that they are tested everywhere.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

# Device names that Windows opens in every folder, whatever their extension (naming a file, Win32 documentation).
_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
    | {f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789\u00b9\u00b2\u00b3"}
)
# Characters that Windows gives a meaning of their own: streams and drives, wildcards, quotes, redirection, pipes.
_WINDOWS_SPECIAL: Final = re.compile(r'[\x00-\x1f:*?"<>|]')

# The one name with a leading dot that is served (RFC 8615).
WELL_KNOWN: Final = ".well-known"


def segments(path: str, *, windows: bool) -> tuple[str, ...] | None:
    """The names in a decoded path ("/a/b.html", its bytes as latin-1) -> ("a", "b.html"), or None: not a file's.

    Empty segments collapse, so a path that ends in a slash gives the folder's names. The names are
    as the file system takes them: UTF-8 where the bytes are, undecodable bytes as surrogates.
    """
    if "\0" in path or "\\" in path:
        return None
    names = tuple(name for name in os_text(path).split("/") if name)
    for name in names:
        if not allowed(name, windows=windows):
            return None
    return names


def allowed(name: str, *, windows: bool) -> bool:
    """Whether a request may name a file or folder so. `name` is one segment, as `segments` gives it."""
    if name.startswith(".") and name != WELL_KNOWN:
        return False  # hidden, "." and ".."
    return "\\" not in name and not (windows and not allowed_on_windows(name))


def os_text(path: str) -> str:
    """A latin-1 string of the path's bytes (PEP 3333) -> text in the file system's own way (PEP 383)."""
    return path.encode("latin-1").decode("utf-8", "surrogateescape")


def url_name(name: str) -> str:
    """A name as `segments` gives it -> what stands for it in a URL: no slash, colon or quote is left bare."""
    return quote(name.encode("utf-8", "surrogateescape"), safe="")


def allowed_on_windows(name: str) -> bool:
    """Whether `name` means, on Windows, a file of exactly that name below its folder, and nothing else."""
    if _WINDOWS_SPECIAL.search(name) or name[-1] in ". " or any("\ud800" <= char <= "\udfff" for char in name):
        return False
    if re.search(r"~[0-9]", name):
        return False  # a short 8.3 name, a second name for a file that may be hidden under its first
    return name.partition(".")[0].strip(" ").upper() not in _DEVICES


def is_code(path: str) -> bool:
    """Whether it is a Python file of any kind, source or compiled: none is ever sent."""
    return path.lower().endswith((".py", ".pyc", ".pyo", ".pyw"))


def is_program(path: str) -> bool:
    """Whether the path ends in `.py`: never sent as a file, always the application's."""
    return path[-3:].lower() == ".py"
