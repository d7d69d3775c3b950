"""The rules of `--auth`: which paths are protected, however they are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from tpserver.files.codings import without_extension
from tpserver.files.paths import names_of, os_text, resolved
from tpserver.files.rules import Glob

# A path with more segments or characters is taken for one that all globs match: to compare takes their square.
_MOST_SEGMENTS: Final = 40
_LONGEST: Final = 4096


class AuthRule(NamedTuple):
    """The users in `file` may read what `glob` matches, and what is below it."""

    glob: str
    file: str


def parse_auth(text: str) -> AuthRule:
    """A text such as "admin/**=users.txt" -> a rule. Raises ValueError."""
    glob, equals, file = text.partition("=")
    if not equals or not file:
        raise ValueError(f"{text!r} is not GLOB=FILE, such as admin/**=users.txt")
    Glob(_folded(glob))
    return AuthRule(glob, file)


class Protection:
    """Finds the rule for a path. Immutable; any thread may call.

    It rather protects too much: case does not count, nor do characters that some file systems overlook; a glob also
    takes what is below the folder that it matches, and the coded files beside it (`app.js.br`).
    """

    def __init__(self, rules: Sequence[AuthRule]) -> None:
        self._globs = [Glob(_folded(rule.glob)) for rule in rules]
        numbers = {
            file: number for number, file in enumerate(dict.fromkeys(os.path.abspath(rule.file) for rule in rules))
        }
        # What is for the same users is one realm: a browser sends their credentials to all of it.
        self.realms = [numbers[os.path.abspath(rule.file)] for rule in rules]

    def of_request(self, path: str) -> int:
        """The number of the rule for a request's path, decoded once, its bytes as latin-1; -1 for none.

        A path with `..` is that of no file, but an application may take it for another: both are looked up.
        """
        names = names_of(os_text(path).replace("\\", "/"))
        if ".." not in names or len(names) > _MOST_SEGMENTS:
            return self._find(names)
        return max(self._find([name for name in names if name != ".."]), self._find(names), self._find(resolved(names)))

    def of_place(self, place: str) -> int:
        """The same for the place of a file, see `Folder.place`."""
        return self._find(place.replace("\\", "/").strip("/").split("/"))

    def protects(self, place: str) -> bool:
        """Whether a rule is for the file at `place`."""
        return self.of_place(place) >= 0

    def conceals(self, folder: str, places: Sequence[str]) -> bool:
        """Whether a listing of `folder` leaves out what is at `places`: it is for others than the listing itself."""
        realms = {self._realm(place) for place in places} - {-1}
        return bool(realms - {self._realm(folder)})

    def _realm(self, place: str) -> int:
        number = self.of_place(place)
        return self.realms[number] if number >= 0 else -1

    def _find(self, names: list[str]) -> int:
        """The last rule decides, as among those of other options."""
        if len(names) > _MOST_SEGMENTS or sum(map(len, names)) > _LONGEST:
            return len(self._globs) - 1
        folded = [_folded(name) for name in names]
        beginnings = ["/".join(folded[:number]) for number in range(1, len(folded) + 1)]
        beginnings += [without_extension(one) for one in beginnings[-1:]]
        # With a slash it is below itself: `admin/**` takes the redirect of /admin and the listing of /admin/, too.
        paths = ["", *beginnings, *[f"{one}/" for one in beginnings]]
        for number in range(len(self._globs) - 1, -1, -1):
            if any(map(self._globs[number].matches, paths)):
                return number
        return -1


def _folded(text: str) -> str:
    """As the most lenient file system reads names: macOS overlooks case, forms of accents, and invisible characters."""
    import unicodedata  # only where there are rules

    if text.isascii():
        return text.lower()
    text = "".join([char for char in text if unicodedata.category(char) != "Cf"])
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", text).casefold())
