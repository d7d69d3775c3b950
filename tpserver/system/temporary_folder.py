"""The folder for temporary files, as `tempfile` finds it, without the megabyte of modules that it imports."""

from __future__ import annotations

import os


def named_folder() -> str:
    """The folder that the environment names, or the usual one; "" where there is none, as on Windows."""
    named = (folder for name in ("TMPDIR", "TEMP", "TMP") if (folder := os.environ.get(name)))
    return next(named, "/tmp" if os.name == "posix" else "")


def temporary_folder() -> str:
    """The folder in which files can be made now. Raises OSError where there is none."""
    folder = named_folder()
    if folder and _takes_files(folder):
        return os.path.abspath(folder)
    import tempfile  # which looks elsewhere, too

    return tempfile.gettempdir()


def _takes_files(folder: str) -> bool:
    """Makes a small file in `folder`, for rights alone do not tell: a disk may be full."""
    name = os.path.join(folder, f"tpserver-{os.getpid()}-{os.urandom(8).hex()}")
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            return os.write(descriptor, b"x") == 1
        finally:
            os.close(descriptor)
            os.unlink(name)
    except OSError:
        return False
