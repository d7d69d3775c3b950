"""The media type of a file by its name, the same on every machine.

`mimetypes` by default reads the Windows registry and /etc/mime.types, which make `.js` files text/plain on some
machines. This module uses only the table built into `mimetypes`, and adds the types that it lacks in some version.
"""

from __future__ import annotations

import codecs
import mimetypes
import re
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
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".eot": "application/vnd.ms-fontobject",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".ico": "image/vnd.microsoft.icon",
    ".ics": "text/calendar",
    ".ini": "text/plain",
    ".jar": "application/java-archive",
    ".jfif": "image/jpeg",
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

# What a text in ISO-2022-JP or -KR begins other characters with, in bytes that are all ASCII (RFC 1468, RFC 1557).
_ISO_2022: Final = re.compile(rb"\x1b\$[@AB)(]")
_new_decoder: Final = codecs.getincrementaldecoder("utf-8")

_TABLE: Final = mimetypes.MimeTypes(filenames=()).types_map[True] | _OURS
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def media_type(name: str, ours: Mapping[str, str] = _NONE) -> str:
    """A file's name -> its media type.

    `ours` maps extensions (lower case, without the dot) to types that override the table.
    """
    # Not guess_type(): it takes the name for a URL.
    _, dot, extension = name.rpartition(".")
    extension = extension.lower()
    guessed = (ours.get(extension) or _TABLE.get("." + extension)) if dot else None
    return DEFAULT_TYPE if guessed is None else guessed


def takes_charset(media: str) -> bool:
    """Whether a charset can be added to a media type: it is text, and has none."""
    media = media.lower()
    return media.startswith("text/") and "charset=" not in media


def is_utf8(sample: bytes) -> bool:
    """Whether this beginning of a file can be that of a text in UTF-8; its last character may be cut."""
    try:
        _new_decoder().decode(sample)
    except UnicodeDecodeError:
        return False
    return _ISO_2022.search(sample) is None
