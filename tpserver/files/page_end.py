"""Puts something behind each page of HTML in a folder. For `--reload`."""

from __future__ import annotations

import zlib

from tpserver.files.file import File
from tpserver.http.conditional import Validators


def with_end(file: File, end: bytes) -> File:
    """The file with `end` behind it, where it is a page in memory that a script may run in; it is sent uncompressed."""
    if not end or file.content is None or file.coding or not file.media_type.startswith("text/html"):
        return file
    if any(name.lower() == "content-security-policy" for name, _ in file.fields):
        return file
    content = file.content + end
    # Its date says nothing of what stands behind it.
    validators = Validators(f'{file.validators.etag[:-1]}-{zlib.crc32(end):x}"', None)
    return file.altered(content=content, size=len(content), validators=validators, negotiable=False)
