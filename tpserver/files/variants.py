"""The variants of a file, one for each content coding, and which of them a request gets (RFC 9110 section 12.5.3).

A variant is a coded file that lies beside the plain one (a sidecar: app.js.gz beside app.js), or
one that the server has made. It is a `File` with bytes and validators of its own, so whatever is
done with a file, preconditions and ranges too, is done with it.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from tpserver.errors import RequestRefused
from tpserver.files.background import BackgroundCoder, Made
from tpserver.files.codings import EXTENSIONS, ZSTD, compressible
from tpserver.files.file import File, Signature
from tpserver.files.folder import Folder
from tpserver.http.conditional import Validators
from tpserver.http.head import Head
from tpserver.http.negotiation import IDENTITY, Tiers, accepted_codings, choose_coding, wanted_coding
from tpserver.logs.log import Log

# Files of fewer bytes are not compressed: head and content go in one packet or two either way. Larger ones take too
# long and too much memory: they want a sidecar.
SMALLEST: Final = 1024
LARGEST: Final = 8 * 1024 * 1024

# Accept-Encoding fields whose meaning is remembered, and how long one may be, in characters.
_FIELDS: Final = 256
_FIELD_LENGTH: Final = 256
# Files that are remembered to have had sidecars.
_HAD: Final = 10_000
# Sidecars that are complained of, each once.
_REFUSED: Final = 100

_log = Log("tpserver")

_SECOND: Final = 1_000_000_000


class Accepted:
    """What an Accept-Encoding field takes. Equal ones are one and the same object, so that they are told apart fast."""

    __slots__ = ("tiers",)

    def __init__(self, tiers: Tiers) -> None:
        self.tiers = tiers


class Sidecar(NamedTuple):
    """A coded file beside a plain one. `path` is what a request for it would ask for, `extension` its name's end."""

    path: str
    extension: str
    coding: str


class Choices:
    """What is known of one plain file's variants, for one second."""

    __slots__ = ("chosen", "makeable", "sidecars", "stamp")

    def __init__(self, stamp: bytes, makeable: tuple[str, ...], sidecars: dict[Sidecar, int]) -> None:
        self.stamp = stamp
        self.makeable = makeable  # codings that the server could make
        self.sidecars = sidecars  # and their sizes in bytes
        self.chosen: dict[Accepted, Sidecar | Made | None] = {}  # None: the plain file


class Variants:
    """Chooses for the files of one folder. `coder` makes variants where it is not None. Any thread may call."""

    def __init__(self, folder: Folder, coder: BackgroundCoder | None = None) -> None:
        self._folder = folder
        self._coder = coder
        self._accepted: dict[str, Accepted] = {}  # by the field's value
        self._known: dict[Tiers, Accepted] = {}  # there are a few hundred at the most
        self._had: set[str] = set()  # the names of files that have, or had, sidecars
        self._refused: set[str] = set()  # the names of sidecars that were complained of

    def choose(self, file: File, head: Head, stamp: bytes) -> File:
        """The representation of `file` that a request with this head gets, which may be `file` itself.

        `stamp` is another object each second: so often sidecars are looked for. One that is in use is
        looked at in every turn, like any file, so its removal shows at once.
        """
        choices: Choices | None = file.choices
        if choices is None or choices.stamp is not stamp:
            choices = self._look(file, stamp)
        value = head.fields.get("HTTP_ACCEPT_ENCODING")
        if value is None:
            return file
        accepted = self._accepted.get(value) or self._read(value)
        try:
            chosen = choices.chosen[accepted]
        except KeyError:
            return self._decide(file, choices, accepted)
        if chosen is None:
            return file
        variant = chosen.file if isinstance(chosen, Made) else self._open(file, chosen)
        return variant or self._decide(file, self._look(file, stamp), accepted)

    def others(self, file: File, head: Head) -> Iterator[File]:
        """Those of `file` in sidecars that a client takes, after `choose`: also what is not chosen for it."""
        choices: Choices | None = file.choices
        taken = self._takes(head)
        for sidecar in () if choices is None else choices.sidecars:
            if sidecar.coding in taken:
                variant = self._open(file, sidecar)
                if variant is not None:
                    yield variant

    def takes_plain(self, head: Head) -> bool:
        """Whether a client has not refused the plain file."""
        return IDENTITY in self._takes(head)

    def takes_others(self, head: Head) -> bool:
        """Whether a client may get anything but the plain file."""
        return any(coding != IDENTITY for coding in self._takes(head))

    def _takes(self, head: Head) -> tuple[str, ...]:
        """The codings that a client takes, IDENTITY among them."""
        value = head.fields.get("HTTP_ACCEPT_ENCODING")
        if value is None:
            return (IDENTITY,)
        accepted = self._accepted.get(value) or self._read(value)
        return sum(accepted.tiers, ())

    def _read(self, value: str) -> Accepted:
        tiers = accepted_codings(value)
        accepted = self._known.setdefault(tiers, Accepted(tiers))
        if len(value) <= _FIELD_LENGTH:
            if len(self._accepted) >= _FIELDS:
                self._accepted.clear()
            self._accepted[value] = accepted
        return accepted

    def _decide(self, file: File, choices: Choices, accepted: Accepted) -> File:
        """Weighs up what there is, and has made what would be better."""
        chosen_by = choices.chosen
        ready: dict[str, Sidecar | Made] = {sidecar.coding: sidecar for sidecar in choices.sidecars}
        sizes = {sidecar.coding: size for sidecar, size in choices.sidecars.items()}
        sizes[IDENTITY] = file.size
        makeable = list(choices.makeable)
        settled = True
        while self._coder is not None:
            coding = wanted_coding(accepted.tiers, ready, makeable)
            if coding is None:
                break
            made = self._coder.variant(self._folder, file, coding)
            if made is not None and made.file is not None:
                ready[coding], sizes[coding] = made, made.file.size
                break
            if made is not None and made.waiting:
                settled = False
                break
            makeable.remove(coding)  # it would be no smaller, or there is no room for it now
        chosen = ready.get(choose_coding(accepted.tiers, sizes))
        if settled:
            chosen_by[accepted] = chosen
        if chosen is None:
            return file
        return (chosen.file if isinstance(chosen, Made) else self._open(file, chosen)) or file

    def _look(self, file: File, stamp: bytes) -> Choices:
        """What there is to choose from: once a second."""
        makeable: tuple[str, ...] = ()
        if self._coder is not None and SMALLEST <= file.size <= LARGEST and compressible(file.media_type):
            makeable = self._coder.codings
        sidecars: dict[Sidecar, int] = {}
        for coding, extension in EXTENSIONS.items():
            if os.access(file.name + extension, os.F_OK):
                sidecar = Sidecar(self._path(file.name + extension), extension, coding)
                variant = self._open(file, sidecar)
                if variant is not None:
                    sidecars[sidecar] = variant.size
        if sidecars:
            if len(self._had) >= _HAD:
                self._had.clear()
            self._had.add(file.name)
        choices = Choices(stamp, makeable, sidecars)
        if not file.varies and (makeable or file.name in self._had):
            # From now on for good: caches on the way may have kept a variant.
            file.varies = True
            file.write_lines()
        file.choices = choices
        file.settled = None if makeable or sidecars else stamp
        return choices

    def _path(self, name: str) -> str:
        """A file's name -> the path of a request for it, its bytes as latin-1."""
        relative = os.path.relpath(name, self._folder.root).replace(os.sep, "/")
        return "/" + relative.encode("utf-8", "surrogateescape").decode("latin-1")

    def _open(self, file: File, sidecar: Sidecar) -> File | None:
        """The variant in a sidecar, by the rules for every file.

        None where that is missing, too old, no smaller, or not coded.
        """
        try:
            source = self._folder.find(sidecar.path, file.turn)
        except RequestRefused:  # no descriptor is to be had
            return None
        if not isinstance(source, File) or source.name != file.name + sidecar.extension:
            return None
        # What was made of it stays with it, so that it goes with it. Its plain file may have two addresses.
        lines: bytes
        if source.choices is not None:
            lines, variant = source.choices
            if lines is file.lines:
                kept: File | None = variant
                return kept
        if not 0 < source.size < file.size or not is_current(file.signature, source.signature):
            return None
        try:
            first, last = self._ends(source)
        except (OSError, RequestRefused):  # gone again, or no descriptor is to be had
            return None
        made = None
        if may_hold(sidecar.coding, first, last, file.size):
            made = sidecar_file(file, sidecar.coding, source)
        elif source.name not in self._refused and len(self._refused) < _REFUSED:
            self._refused.add(source.name)
            _log.warning("%r is not sent: it does not hold its file in %s", source.name, sidecar.coding)
        source.choices = file.lines, made
        return made

    def _ends(self, source: File) -> tuple[bytes, bytes]:
        """Its first and its last four bytes. Raises OSError and `RequestRefused`."""
        if source.content is not None:
            return source.content[:4], source.content[-4:]
        descriptor, opened = self._folder.open(source)
        with open(descriptor, "rb", buffering=0) as stream:
            first = stream.read(4)
            stream.seek(max(0, opened.size - 4))
            return first, stream.read(4)


def may_hold(coding: str, first: bytes, last: bytes, size: int) -> bool:
    """Whether a file with these first and last four bytes can be one of `size` bytes in `coding`.

    gzip tells the size, modulo 2**32 (RFC 1952 section 2.3.1), Brotli nothing at all. zstd tells what it is (RFC 8878
    section 3.1.1); its size stands in a field that may be left out (section 3.1.1.1.4), which is not looked at.
    """
    if coding == "gzip":
        return first[:2] == b"\x1f\x8b" and int.from_bytes(last, "little") == size % 2**32
    return coding != "zstd" or first == ZSTD


def is_current(plain: Signature, sidecar: Signature) -> bool:
    """Whether a sidecar is not older than its file.

    Some programs (brotli on Windows, older archives) keep no fraction of a second, so a time without one is compared
    by whole seconds.
    """
    fraction = sidecar[0] % _SECOND
    return sidecar[0] >= (plain[0] if fraction else plain[0] - plain[0] % _SECOND)


def is_of(plain: Signature, sidecar: Signature) -> bool:
    """Whether a sidecar has its file's time, as `compress` gives it; by whole seconds where one has no fraction."""
    if sidecar[0] % _SECOND and plain[0] % _SECOND:
        return sidecar[0] == plain[0]
    return sidecar[0] // _SECOND == plain[0] // _SECOND


def sidecar_file(plain: File, coding: str, source: File) -> File:
    """`plain` as a representation in `coding`, which is what the file `source` holds."""
    file = copy.copy(plain)
    file.name = source.name
    file.real = source.real
    file.signature = source.signature
    file.modified = source.modified
    file.content = source.content
    file.size = source.size
    file.coding = coding
    file.validators = Validators(f'{source.validators.etag[:-1]}-{coding}"', source.modified // _SECOND)
    file.varies = True
    file.choices = file.settled = None
    file.write_lines()
    return file
