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
# Files that web pages ask for by the name of the coded file, such as `app.wasm.br` of a Unity build: the extensions
# before that of the coding. Not among them is what people download to keep it as it is, such as `data.csv.gz`.
_WEB: Final = frozenset({"css", "data", "js", "mem", "mjs", "symbols.json", "wasm"})
# Vector tiles and SVG pictures, which are in gzip where they begin as gzip does.
_OFTEN_GZIP: Final = (".mvt", ".pbf", CODED_SVG)
_GZIP: Final = b"\x1f\x8b"

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


def own_coding(name: str, sample: bytes) -> str:
    """The coding that a file itself is in, by its name and beginning; "" where it is to be sent as it is."""
    name = name.lower()
    if name.endswith(_OFTEN_GZIP):
        return "gzip" if begins_as("gzip", sample) else ""
    for coding, extension in EXTENSIONS.items():
        inner = name.removesuffix(extension)
        if inner != name:
            known = any(inner.endswith("." + one) for one in _WEB)
            return coding if known and begins_as(coding, sample) else ""
    return ""


def begins_as(coding: str, sample: bytes) -> bool:
    """Whether content in this coding may begin with `sample`. Brotli has no mark."""
    return bool(sample) and sample.startswith({"gzip": _GZIP, "zstd": ZSTD}.get(coding, b""))


def without_extension(name: str) -> str:
    """The name of a coded file without the extension of its coding."""
    for extension in EXTENSIONS.values():
        if name.lower().endswith(extension):
            return name[: -len(extension)]
    return name


def is_coded(name: str) -> bool:
    """Whether a file's name has the extension of a coded file."""
    return name.lower().endswith((*EXTENSIONS.values(), CODED_SVG))
