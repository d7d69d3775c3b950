"""The media type of a file by its name, the same on every machine.

`mimetypes` by default reads the Windows registry and /etc/mime.types, which make `.js` files text/plain on some
machines. This module uses only the table built into `mimetypes`, behind one of its own: with the types that it lacks in
some version, and those of most sites, which thus do without the module.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DEFAULT_TYPE: Final = "application/octet-stream"

_OURS: Final = {
    ".7z": "application/x-7z-compressed",
    ".atom": "application/atom+xml",
    ".avif": "image/avif",
    ".bz2": "application/x-bzip2",
    ".cjs": "text/javascript",
    ".conf": "text/plain",
    ".css": "text/css",
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".eot": "application/vnd.ms-fontobject",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".gif": "image/gif",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".ics": "text/calendar",
    ".ini": "text/plain",
    ".jar": "application/java-archive",
    ".jfif": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".jxl": "image/jxl",
    ".kml": "application/vnd.google-earth.kml+xml",
    ".log": "text/plain",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mid": "audio/midi",
    ".midi": "audio/midi",
    ".mjs": "text/javascript",
    ".mkv": "video/matroska",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/opus",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rar": "application/vnd.rar",
    ".rss": "application/rss+xml",
    ".rtf": "application/rtf",
    ".sql": "application/sql",
    ".svg": "image/svg+xml",
    # `File` adds that its content coding is gzip.
    ".svgz": "image/svg+xml",
    ".tgz": "application/gzip",
    ".toml": "application/toml",
    # A segment of a video, as in nginx; browsers do not run TypeScript.
    ".ts": "video/mp2t",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
    ".zst": "application/zstd",
}

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@functools.cache
def _built_in() -> Mapping[str, str]:
    import mimetypes  # for extensions that are not in our table

    # The first `MimeTypes` has the module read the system's files. Until then its own table is in `types_map`.
    return mimetypes.MimeTypes(filenames=()).types_map[True] if mimetypes.inited else mimetypes.types_map


def media_type(name: str, ours: Mapping[str, str] = _NONE) -> str:
    """A file's name -> the value of its Content-Type field. Text without a charset gets charset=utf-8.

    `ours` maps extensions (lower case, without the dot) to types that override the table.
    """
    # Not guess_type(): it takes the name for a URL.
    _, dot, extension = name.rpartition(".")
    extension = "." + extension.lower()
    guessed = (ours.get(extension[1:]) or _OURS.get(extension) or _built_in().get(extension)) if dot else None
    if guessed is None:
        return DEFAULT_TYPE
    is_text = guessed.lower().startswith("text/") and "charset=" not in guessed.lower()
    return f"{guessed}; charset=utf-8" if is_text else guessed
