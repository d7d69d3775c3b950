"""The variants of a file, one for each content coding, and which of them a request gets (RFC 9110 section 12.5.3).

A variant is a coded file beside the plain one (a sidecar: app.js.gz beside app.js), or one that the server has
compressed. It is a `File` with its own bytes and validators, so preconditions and ranges apply to it as to any file.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.files.background import BackgroundCoder
from tpserver.files.codings import EXTENSIONS, begins_as, compressible
from tpserver.files.file import File, Sidecar, Signature, VariantIndex, VariantState
from tpserver.files.folder import Folder
from tpserver.http.head import Head
from tpserver.http.negotiation import IDENTITY, Tiers, accepted_codings, choose_coding, wanted_coding
from tpserver.logs.log import Log

# Smaller files are not compressed: head and content fit into one or two packets anyway. Larger ones take too much time
# and memory: they need a sidecar. In bytes.
SMALLEST: Final = 1024
LARGEST: Final = 8 * 1024 * 1024

# Parsed Accept-Encoding fields that are cached, and the longest one, in characters.
_FIELDS: Final = 256
_FIELD_LENGTH: Final = 256
# Bytes of a sidecar that hold the longest head of a zstd frame.
_FIRST: Final = 18
# Unusable sidecars that are logged, each once.
_REFUSED: Final = 100

_log = Log("tpserver")

_SECOND: Final = 1_000_000_000


class Variants:
    """Chooses variants for the files of one folder. Any thread may call.

    `coder` compresses files in the background; None: only sidecars are used.
    """

    def __init__(self, folder: Folder, coder: BackgroundCoder | None = None) -> None:
        self._folder = folder
        self._coder = coder
        self._refused: set[str] = set()  # names of sidecars that were logged

    def choose(self, file: File, head: Head, stamp: bytes) -> File:
        """The representation of `file` that a request with this head gets; it may be `file` itself.

        `stamp` is another object each second: sidecars are searched once for each. A sidecar in use is checked in
        every turn of the leader, like any file, so its removal takes effect at once.
        """
        index = file.variant_index
        if index is None or index.stamp is not stamp:
            index = self._find_variants(file, stamp)
        value = head.fields.get("HTTP_ACCEPT_ENCODING")
        if value is None:
            return file
        accepted = _tiers(value)
        try:
            chosen = index.chosen[accepted]
        except KeyError:
            return self._decide(file, index, accepted)
        if chosen is None:
            return file
        variant = chosen.file if isinstance(chosen, VariantState) else self._open(file, chosen)
        return variant or self._decide(file, self._find_variants(file, stamp), accepted)

    def others(self, file: File, head: Head) -> Iterator[File]:
        """The sidecars of `file`, as variants, that the client accepts. To be called after `choose`."""
        accepted = self.accepted(head)
        for sidecar in file.variant_index.sidecars if file.variant_index else ():
            variant = self._open(file, sidecar) if sidecar.coding in accepted else None
            if variant is not None:
                yield variant

    def accepted(self, head: Head) -> tuple[str, ...]:
        """The codings that the client accepts; IDENTITY, the plain file, may be among them."""
        value = head.fields.get("HTTP_ACCEPT_ENCODING")
        return (IDENTITY,) if value is None else sum(_tiers(value), ())

    def _decide(self, file: File, index: VariantIndex, accepted: Tiers) -> File:
        """Chooses among the available variants, and orders a better one from the coder where it can be made."""
        available: dict[str, Sidecar | VariantState] = {sidecar.coding: sidecar for sidecar in index.sidecars}
        sizes = {sidecar.coding: size for sidecar, size in index.sidecars.items()}
        sizes[IDENTITY] = file.size
        makeable = list(index.makeable)
        final = True
        while self._coder is not None:
            coding = wanted_coding(accepted, available, makeable)
            if coding is None:
                break
            state = self._coder.variant(self._folder, file, coding)
            if state is not None and state.file is not None:
                available[coding], sizes[coding] = state, state.file.size
                break
            if state is not None and state.waiting:
                final = False
                break
            makeable.remove(coding)  # it would be no smaller, or there is no memory for it now
        chosen = available.get(choose_coding(accepted, sizes))
        if final:
            index.chosen[accepted] = chosen
        if chosen is None:
            return file
        return (chosen.file if isinstance(chosen, VariantState) else self._open(file, chosen)) or file

    def _find_variants(self, file: File, stamp: bytes) -> VariantIndex:
        """Searches the sidecars of `file`; called once a second."""
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
        index = VariantIndex(stamp, makeable, sidecars)
        if not file.varies and (makeable or sidecars):
            # For good, also without variants: caches may have stored one.
            file.varies = True
            file.write_lines()
        file.variant_index = index
        file.settled = None if makeable or sidecars else stamp
        return index

    def _path(self, name: str) -> str:
        """A file's name -> the path of a request for it, its bytes decoded as latin-1."""
        return "/" + self._folder.place(name).encode("utf-8", "surrogateescape").decode("latin-1")

    def _open(self, file: File, sidecar: Sidecar) -> File | None:
        """The variant in a sidecar, found by the rules for every file.

        None where it is missing, older than `file`, no smaller, or not in its coding.
        """
        try:
            source = self._folder.find(sidecar.path, file.turn)
        except RequestRefused:  # no descriptor left
            return None
        if not isinstance(source, File) or source.name != file.name + sidecar.extension:
            return None
        # The variant is kept with the coded file and lives as long. `lines` tells two addresses of one file apart.
        if source.as_sidecar is not None and source.as_sidecar[0] is file.lines:
            return source.as_sidecar[1]
        if not 0 < source.size < file.size or not is_current(file.signature, source.signature):
            return None
        try:
            first, last = self._ends(source)
        except (OSError, RequestRefused):  # removed meanwhile, or no descriptor left
            return None
        variant = None
        if may_hold(sidecar.coding, first, last, file.size):
            variant = file.altered(
                name=source.name,
                real=source.real,
                signature=source.signature,
                modified=source.modified,
                content=source.content,
                size=source.size,
                coding=sidecar.coding,
                validators=source.validators
                if source.coding
                else source.validators._replace(etag=f'{source.validators.etag[:-1]}-{sidecar.coding}"'),
                varies=True,
            )
        elif source.name not in self._refused and len(self._refused) < _REFUSED:
            self._refused.add(source.name)
            _log.warning("%r is not sent: its content is not that of its file in %s", source.name, sidecar.coding)
        source.as_sidecar = file.lines, variant
        return variant

    def _ends(self, source: File) -> tuple[bytes, bytes]:
        """The first 18 and the last four bytes of a file. Raises OSError and `RequestRefused`."""
        if source.content is not None:
            return source.content[:_FIRST], source.content[-4:]
        descriptor, opened = self._folder.open(source)
        with open(descriptor, "rb", buffering=0) as stream:
            first = stream.read(_FIRST)
            stream.seek(max(0, opened.size - 4))
            return first, stream.read(4)


_known_tiers = functools.lru_cache(_FIELDS)(accepted_codings)


def _tiers(field: str) -> Tiers:
    """As `accepted_codings`, from the cache unless the field is long."""
    return _known_tiers(field) if len(field) <= _FIELD_LENGTH else accepted_codings(field)


def may_hold(coding: str, first: bytes, last: bytes, size: int) -> bool:
    """Whether a file with these first 18 and last four bytes can hold `size` bytes of content in `coding`.

    gzip ends with the size, modulo 2**32 (RFC 1952 section 2.3.1). zstd begins with a magic number and may tell the
    size (RFC 8878 section 3.1.1). Brotli has no mark: always True.
    """
    if not begins_as(coding, first):
        return False
    if coding == "gzip":
        return int.from_bytes(last, "little") == size % 2**32
    return coding != "zstd" or zstd_size(first) in (None, size)


def zstd_size(first: bytes) -> int | None:
    """The size of the content that the head of a zstd frame tells, if it does (RFC 8878 section 3.1.1.1)."""
    descriptor = first[4] if len(first) > 4 else 0
    single_segment = descriptor >> 5 & 1
    length = (single_segment, 2, 4, 8)[descriptor >> 6]  # of the field Frame_Content_Size, in bytes
    at = 5 + (not single_segment) + (0, 1, 2, 4)[descriptor & 3]  # behind Window_Descriptor and Dictionary_ID
    field = first[at : at + length]
    if not length or len(field) < length:
        return None
    return int.from_bytes(field, "little") + (256 if length == 2 else 0)


def is_current(plain: Signature, sidecar: Signature) -> bool:
    """Whether a sidecar is not older than its file.

    A time without a fraction of a second is compared by whole seconds: some programs (brotli on Windows, older
    archives) keep no fraction.
    """
    fraction = sidecar[0] % _SECOND
    return sidecar[0] >= (plain[0] if fraction else plain[0] - plain[0] % _SECOND)


def has_time_of(plain: Signature, sidecar: Signature) -> bool:
    """Whether a sidecar has the time of its file, as `compress` sets it; by whole seconds where one has no fraction."""
    if sidecar[0] % _SECOND and plain[0] % _SECOND:
        return sidecar[0] == plain[0]
    return sidecar[0] // _SECOND == plain[0] // _SECOND
