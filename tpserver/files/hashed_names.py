"""Names that carry a hash of their content: a new content gets a new name, so the old one may be kept for ever.

Told by the name alone, as bundlers and web frameworks write it. A name that is wrongly taken for one
hides an edit from every browser that has seen the file, a name that is missed only costs a
revalidation: where in doubt it is none.
"""

from __future__ import annotations

import re
from typing import Final

IMMUTABLE: Final = "public, max-age=31536000, immutable"  # a year is what RFC 9111 section 1.2.2 calls the most

# Pages keep their address, whatever it looks like.
_PAGES: Final = frozenset({"html", "htm", "xhtml"})
# What only bundlers write: people give such names to pictures ("iPhone5s"), hardly to these.
_BUNDLED: Final = frozenset({"js", "mjs", "cjs", "css", "wasm", "woff", "woff2"})
# Behind `-` or `_` people write numbers and versions of their own: there a hash counts only before what bundlers write.
_BUILT: Final = _BUNDLED | frozenset(
    {"map", "ttf", "otf", "eot", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "mp4", "webm"}
)
# What may stand between the hash and the end of the name: app.3f2a9c1b.chunk.js, app.3f2a9c1b.min.js.map.
_TAIL: Final = re.compile(
    r"(?:\.(?:chunk|bundle|min|module|esm|umd|cjs|legacy))*"
    r"\.([0-9A-Za-z]{1,11})(?:\.map|\.LICENSE\.txt)?(?:\.(?:gz|br|zst))?",
    re.ASCII,
)
_UUID: Final = re.compile(r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.ASCII)
# Webpack, Parcel, Django, WhiteNoise, Rails: the beginning of a hash in hexadecimal, or all of it.
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
# Numbers for a thing that look like it: uuid4().hex, and an ObjectId of MongoDB.
_OBJECT: Final = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}|[0-9a-f]{24}", re.ASCII)
_BARE: Final = 20  # so many digits are a hash without a name before them
# Vite and Rollup: eight characters of base64url, among which the separators are.
_BASE64URL: Final = re.compile(r"[0-9A-Za-z_\-]{8}", re.ASCII)
# esbuild: eight of base32.
_BASE32: Final = re.compile(r"[A-Z2-7]{8}", re.ASCII)
# Words and numbers as people join them: "Html5App" has three, "BX3kLq9Z" has six.
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", re.ASCII)
# "iOS17Fix" has four, as many as one in three hashes; what ends in such a word needs five.
_LAST_WORD: Final = re.compile(r"[A-Z][a-z]{2,}", re.ASCII)


def is_hashed(name: str) -> bool:
    """Whether a file's name ("app.3f2a9c1b.js", without its folder) carries a hash of the content."""
    for at in _dots(name):
        tail = _TAIL.fullmatch(name, at)
        extension = "" if tail is None else tail[1].lower()
        if extension and extension not in _PAGES and _ends_with_hash(name[:at], extension):
            return True
    return False


def _dots(name: str) -> list[int]:
    """Where the name's last five dots are: no tail that we know has more."""
    found: list[int] = []
    at = name.rfind(".")
    while at > 0 and len(found) < 5:
        found.append(at)
        at = name.rfind(".", 0, at)
    return found


def _ends_with_hash(stem: str, extension: str) -> bool:
    if _UUID.search(stem[-36:]):
        return False  # a number for the thing, not for its content
    last = re.split(r"[.\-_]", stem)[-1]
    if _HEXADECIMAL.fullmatch(last) and (len(stem) > len(last) + 1 or len(last) >= _BARE):
        return (
            _mixed(last, 3)
            and not last.isdigit()
            and _OBJECT.fullmatch(last) is None
            and (stem[: -len(last)][-1:] in (".", "") or extension in _BUILT)
        )
    if len(stem) < 10 or stem[-9] not in ".-_" or not (stem[-9] == "." or extension in _BUILT):
        return False
    last = stem[-8:]
    if _BASE32.fullmatch(last):
        return _mixed(last, 3)
    both_cases = last.lower() != last and last.upper() != last
    return _BASE64URL.fullmatch(last) is not None and both_cases and _mixed(last, _least(last, extension))


def _least(last: str, extension: str) -> int:
    """How many words and numbers make eight characters of base64url a hash."""
    word = _WORDS.findall(last)[-1]
    return 4 if extension in _BUNDLED and _LAST_WORD.fullmatch(word) is None else 5


def _mixed(text: str, least: int) -> bool:
    return len(_WORDS.findall(text)) >= least
