"""The icons of a listing: which file has which, and their shapes."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from tpserver.files.media import media_type

_EXTENSIONS: Final = {
    "document": "doc docm docx dot dotx epub fb2 fodt htmlz key mobi odp odt ott pages pot pps ppsx ppt pptm pptx rtf"
    " tex wpd",
    "sheet": "csv fods numbers ods ots parquet tsv xls xlsb xlsm xlsx xlt xltx",
    "packed": "7z ar bz2 cab cpio crate gem gz img iso lz lz4 lzma rar squashfs tar tbz tbz2 tgz txz whl xz z zip zst"
    " zstd",
    "program": "apk app appimage bat cmd com deb dll dmg exe flatpak jar msi msix out pkg rpm run snap so war",
    "code": "c cc clj cpp cs css go h hpp hs htm html ini ipynb java jl js json jsx kt lua mjs nim php pl ps1 r rb rs"
    " scala scss sh sql svelte swift toml tsx vue wasm xhtml xml xsl yaml yml zig",
    "text": "cfg conf log md nfo rst srt text txt vtt",
    "print": "pdf ps",
}
_BY_EXTENSION: Final = {extension: kind for kind, names in _EXTENSIONS.items() for extension in names.split()}
# Names without an extension that are texts everywhere.
_TEXTS: Final = frozenset(
    {"authors", "changelog", "changes", "contributing", "copying", "dockerfile", "install", "license", "makefile"}
    | {"news", "notice", "readme", "sha256sums", "todo", "version"}
)
_BY_KIND: Final = {"audio": "sound", "font": "text", "text": "text", "video": "film"}
_PICTURES: Final = (  # that browsers show in an <img>
    "image/apng", "image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/svg+xml",
    "image/vnd.microsoft.icon", "image/webp", "image/x-icon", "image/x-ms-bmp",
)  # fmt: skip


def kind(name: str) -> str:
    """A file's name -> the name of its icon; "picture" only where a browser shows it."""
    _, dot, extension = name.rpartition(".")
    if not dot:
        return "text" if extension.lower() in _TEXTS else "file"
    return _kind_of(extension.lower())


@lru_cache(maxsize=1024)
def _kind_of(extension: str) -> str:
    known = _BY_EXTENSION.get(extension)
    if known is not None:
        return known
    content_type = media_type("." + extension).partition(";")[0]
    return "picture" if content_type in _PICTURES else _BY_KIND.get(content_type.partition("/")[0], "file")


def icon(of: str) -> str:
    """The icon as it stands in the page, which has SPRITE."""
    return f'<svg class="{of}" aria-hidden="true"><use href="#{of}"/></svg>'


_PAGE: Final = '<path d="M6 2.8h8l4.5 4.5v13.9H6zM13.8 3v4.5h4.4"/>'
_SHAPES: Final = {
    "folder": '<path d="M3 6.5h6.5l2 2.5H21v10.5H3z"/>',
    "up": '<path d="M6 20h6.5V5M7.5 10l5-5 5 5"/>',
    "file": _PAGE,
    "text": _PAGE + '<path d="M9 11.5h6.5M9 14.5h6.5M9 17.5h4"/>',
    "document": _PAGE + '<path d="M8.7 10.5l1.5 7 2-6 2 6 1.5-7"/>',
    "sheet": '<path d="M3.5 4.5h17v15h-17zM3.5 9.5h17M3.5 14.5h17M9 4.5v15M14.7 4.5v15"/>',
    "picture": '<path d="M3 4.5h18v15H3zM3.4 17l5.2-5.5 4 4 2.8-2.6 5.2 4.6"/><circle cx="15.5" cy="8.7" r="1.6"/>',
    "film": '<path d="M3 5h18v14H3zM7.2 5v14M16.8 5v14M3 9.7h4.2M3 14.3h4.2M16.8 9.7H21M16.8 14.3H21"/>',
    "sound": '<path d="M9.2 17.5v-12l10-2v12"/><circle cx="6.7" cy="17.5" r="2.5"/>'
    '<circle cx="16.7" cy="15.5" r="2.5"/>',
    "code": '<path d="M8 7l-5 5 5 5M16 7l5 5-5 5M13.6 4.5l-3.2 15"/>',
    "packed": '<path d="M4 8h16v12.5H4zM3 3.5h18V8H3zM9.5 11.5h5"/>',
    "program": '<path d="M3 4.5h18v15H3zM3 8.5h18M7 12l2.5 2.2L7 16.5M11.5 16.5h4.5"/>',
    "print": _PAGE + '<path d="M9 18.2c2.6-1.8 3.4-5 3.2-7.2.6 2.7 2 4.4 3.8 5-2.2 0-4.6.8-7 2.2z"/>',
}
SPRITE: Final = (
    '<svg class="sprite" aria-hidden="true">'
    + "".join(f'<symbol id="{kind}" viewBox="0 0 24 24">{shape}</symbol>' for kind, shape in _SHAPES.items())
    + "</svg>"
)
