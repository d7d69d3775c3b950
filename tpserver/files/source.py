"""What the variants of a file need from the folder that it is in. `Folder` is the implementation."""

from __future__ import annotations

from typing import Protocol

from tpserver.files.file import File


class FileSource(Protocol):
    """Finds and opens files. Any thread may call."""

    @property
    def root(self) -> str:
        """The absolute path of the folder."""
        ...

    def find(self, path: str, turn: int) -> object:
        """The `File` that a decoded request path names; otherwise an object of another type, or None.

        `turn` is the number of the leader's turn: within one turn a file is checked once. Raises `RequestRefused`.
        """
        ...

    def open(self, file: File) -> tuple[int, File]:
        """A descriptor of `file`, and the version that was opened. Raises OSError and `RequestRefused` (503)."""
        ...
