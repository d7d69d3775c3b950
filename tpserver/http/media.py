"""The media type of a file by its name: the same on every machine.

`mimetypes` asks the Windows registry and /etc/mime.types unless told not to; then a `.js` file is
text/plain on one machine in ten. Here the standard library's own table is taken, with what it lacks.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DEFAULT_TYPE: Final = "application/octet-stream"

_OURS: Final = {
    ".avif": "image/avif",
    ".bz2": "application/x-bzip2",
    ".csv": "text/csv",
    ".flac": "audio/flac",
    ".gz": "application/gzip",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/opus",
    ".otf": "font/otf",
    ".rar": "application/vnd.rar",
    ".rtf": "application/rtf",
    ".svg": "image/svg+xml",
    ".tgz": "application/gzip",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xml": "application/xml",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
    ".zst": "application/zstd",
}


def _table() -> mimetypes.MimeTypes:
    table = mimetypes.MimeTypes(filenames=())
    for extension, media_type in _OURS.items():
        table.add_type(media_type, extension)
    return table


_TABLE: Final = _table()


_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def media_type(name: str, ours: Mapping[str, str] = _NONE) -> str:
    """A file's name -> the value of its Content-Type field; text says that it is UTF-8, unless it says what it is.

    `ours` maps extensions (lower case, without their dot) to the types that win over the table's.
    """
    # Not guess_type(), which takes the name for a URL.
    _, dot, extension = name.rpartition(".")
    extension = extension.lower()
    guessed = (ours.get(extension) or _TABLE.types_map[True].get("." + extension)) if dot else None
    if guessed is None:
        return DEFAULT_TYPE
    is_text = guessed.lower().startswith("text/") and "charset=" not in guessed.lower()
    return f"{guessed}; charset=utf-8" if is_text else guessed
