"""Content codings of files (RFC 9110 section 8.4): their extensions, and the media types that are worth compressing."""

from __future__ import annotations

from typing import Final

from tpserver.http.grammar import OWS_TEXT

# Codings and the extensions of coded files (RFC 7932, RFC 8878, RFC 1952); the one that compresses best comes first.
EXTENSIONS: Final = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
# The magic number of a zstd frame (RFC 8878 section 3.1.1).
ZSTD: Final = b"\x28\xb5\x2f\xfd"
# An SVG picture in gzip, which has no plain file beside it.
CODED_SVG: Final = ".svgz"

_TEXT_APPLICATIONS: Final = frozenset({
    "ecmascript", "graphql", "javascript", "json", "jsonl", "n-quads", "n-triples", "postscript", "rtf", "sql",
    "tex", "toml", "trig", "typescript", "vnd.api", "vnd.apple.mpegurl", "wasm", "x-csh", "x-javascript",
    "x-latex", "x-ndjson", "x-sh", "x-subrip", "x-tar", "x-tcl", "x-tex", "x-texinfo", "xml", "xml-dtd", "yaml",
})  # fmt: skip
_OTHERS: Final = frozenset({
    "application/vnd.ms-fontobject", "audio/midi", "font/collection", "font/otf", "font/ttf", "image/bmp",
    "image/vnd.adobe.photoshop", "image/vnd.microsoft.icon", "image/x-icon", "image/x-ms-bmp",
    "image/x-portable-anymap", "image/x-portable-bitmap", "image/x-portable-graymap", "image/x-portable-pixmap",
    "model/gltf-binary",
})  # fmt: skip
# Types whose format is compressed, as are pictures, sound and video: they have no coded files beside them.
_PACKED: Final = frozenset({
    "application/gzip", "application/java-archive", "application/vnd.rar", "application/x-7z-compressed",
    "application/x-bzip2", "application/x-compress", "application/x-xz", "application/zip", "application/zstd",
    "font/woff", "font/woff2",
})  # fmt: skip
_PACKED_BEGINNINGS: Final = (
    "image/",
    "audio/",
    "video/",
    "application/vnd.openxmlformats-officedocument.",
    "application/vnd.oasis.opendocument.",
)


def compressible(media_type: str) -> bool:
    """Whether content of this type (the value of a Content-Type field) usually gets much smaller."""
    name = _name(media_type)
    return (
        name.startswith("text/")
        or name.endswith(("+json", "+xml", "+text", "+yaml"))
        or name.removeprefix("application/") in _TEXT_APPLICATIONS
        or name in _OTHERS
    )


def packed(media_type: str) -> bool:
    """Whether the format of this type (the value of a Content-Type field) is compressed."""
    name = _name(media_type)
    return name in _PACKED or name.endswith("+zip") or (name.startswith(_PACKED_BEGINNINGS) and not compressible(name))


def _name(media_type: str) -> str:
    """The type without parameters: "Text/Plain;charset=UTF-8" -> "text/plain" (RFC 9110 section 8.3.1)."""
    return media_type.partition(";")[0].rstrip(OWS_TEXT).lower()


def is_coded(name: str) -> bool:
    """Whether a file's name has the extension of a coded file."""
    return name.lower().endswith((*EXTENSIONS.values(), CODED_SVG))
