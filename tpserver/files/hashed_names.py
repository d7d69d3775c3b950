"""Recognizes file names that contain a hash of the content, as bundlers and web frameworks write them.

Such a file can be cached for ever: new content gets a new name. A false positive hides an edit from every browser that
has the file; a false negative only costs a revalidation. So a doubtful name counts as not hashed.
"""

from __future__ import annotations

import re
from typing import Final

IMMUTABLE: Final = "public, max-age=31536000, immutable"  # one year

# Pages keep their address, whatever it looks like.
_PAGES: Final = frozenset({"html", "htm", "xhtml"})
# Extensions of bundles. A person may name a picture "iPhone5s", but rarely one of these.
_BUNDLED: Final = frozenset({"js", "mjs", "cjs", "css", "wasm", "woff", "woff2"})
# Extensions that bundlers write. Behind `-` or `_`, where people write numbers and versions, only these count.
_BUILT: Final = _BUNDLED | frozenset(
    {"map", "ttf", "otf", "eot", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "mp4", "webm"}
)
# The rest of the name behind the hash: app.3f2a9c1b.chunk.js, app.3f2a9c1b.min.js.map.
_TAIL: Final = re.compile(
    r"(?:\.(?:chunk|bundle|min|module|esm|umd|cjs|legacy))*"
    r"\.([0-9A-Za-z]{1,11})(?:\.map|\.LICENSE\.txt)?(?:\.(?:gz|br|zst))?",
    re.ASCII,
)
_UUID: Final = re.compile(r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.ASCII)
# Webpack, Parcel, Django, WhiteNoise, Rails: a hash in hexadecimal, or its beginning.
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
# Identifiers in hexadecimal that are no hashes of the content: uuid4().hex, and the ObjectId of MongoDB.
_OBJECT: Final = r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}|[0-9a-f]{24}"
_BARE: Final = 20  # hexadecimal digits that count as a hash without a name before them
# Vite and Rollup: eight characters of base64url, which include the separators `-` and `_`.
_BASE64URL: Final = r"[0-9A-Za-z_\-]{8}"
# esbuild: eight of base32.
_BASE32: Final = r"[A-Z2-7]{8}"
# Words and numbers in joined form: "Html5App" has three, "BX3kLq9Z" has six.
_WORDS: Final = r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+"
# "iOS17Fix" has four, as have a third of the hashes; a text that ends in such a word needs five.
_LAST_WORD: Final = r"[A-Z][a-z]{2,}"


def is_hashed(name: str) -> bool:
    """Whether a file's name ("app.3f2a9c1b.js", without its folder) contains a hash of the content."""
    dots = [at for at, character in enumerate(name) if at and character == "."]
    for at in reversed(dots[-5:]):  # no known tail has more
        tail = _TAIL.fullmatch(name, at)
        extension = "" if tail is None else tail[1].lower()
        if extension and extension not in _PAGES and _ends_with_hash(name[:at], extension):
            return True
    return False


def _ends_with_hash(stem: str, extension: str) -> bool:
    if _UUID.search(stem[-36:]):
        return False  # it identifies an object, not its content
    last = re.split(r"[.\-_]", stem)[-1]
    if _HEXADECIMAL.fullmatch(last) and (len(stem) > len(last) + 1 or len(last) >= _BARE):
        return (
            _mixed(last, 3)
            and not last.isdigit()
            and re.fullmatch(_OBJECT, last) is None
            and (stem[: -len(last)][-1:] in (".", "") or extension in _BUILT)
        )
    if len(stem) < 10 or stem[-9] not in ".-_" or not (stem[-9] == "." or extension in _BUILT):
        return False
    last = stem[-8:]
    if re.fullmatch(_BASE32, last):
        return _mixed(last, 3)
    if re.fullmatch(_BASE64URL, last) is None or last.lower() == last or last.upper() == last:
        return False
    ends_with_word = re.fullmatch(_LAST_WORD, re.findall(_WORDS, last)[-1]) is not None
    return _mixed(last, 4 if extension in _BUNDLED and not ends_with_word else 5)


def _mixed(text: str, least: int) -> bool:
    return len(re.findall(_WORDS, text)) >= least
