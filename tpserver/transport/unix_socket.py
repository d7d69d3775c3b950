"""Unix sockets: binding to a path, and taking over the file that a server has left there."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Iterator
from typing import Final

# Bytes of the longest path of a unix socket, by the structure sockaddr_un without the NUL at its end.
_LONGEST_PATH: Final = 107 if sys.platform == "linux" else 103
# None: this system, or this Python, has no unix sockets.
AF_UNIX: Final[int | None] = getattr(socket, "AF_UNIX", None)


def bind_unix(path: str, backlog: int, mode: int, owner: str | None) -> socket.socket:
    """A socket that listens on a path; a file there that no process listens on any more is replaced.

    `mode` is that of its file, -1: as the umask says; `owner` is USER, USER:GROUP or :GROUP. Raises OSError.
    """
    if AF_UNIX is None:
        raise OSError(errno.EAFNOSUPPORT, "Python has no unix sockets on this system")
    abstract = path.startswith("@")
    if abstract and sys.platform != "linux":
        raise OSError(errno.EAFNOSUPPORT, "only Linux has abstract names; write unix:/PATH")
    address = f"\0{path[1:]}" if abstract else path
    if len(os.fsencode(address)) > _LONGEST_PATH:
        raise OSError(errno.ENAMETOOLONG, f"the path of a unix socket has {_LONGEST_PATH} bytes at most")
    sock = socket.socket(AF_UNIX)
    try:
        if abstract:
            sock.bind(address)
        else:
            with _alone(path):
                _bind_to_file(sock, path)
                _set_permissions(path, mode, owner)  # no client can connect before it listens
                sock.listen(backlog)  # else another start would take its file for one that was left
    except BaseException:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """Other servers that start in the same folder wait meanwhile.

    Nobody waits where the file system has no such locks, or the folder cannot be read.
    """
    with contextlib.ExitStack() as stack:
        if sys.platform != "win32":
            import fcntl

            with contextlib.suppress(OSError):
                folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
                stack.callback(os.close, folder)  # which unlocks it
                fcntl.flock(folder, fcntl.LOCK_EX)
        yield


def _bind_to_file(sock: socket.socket, path: str) -> None:
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        _remove_stale(sock.family, path)
        sock.bind(path)


def _set_permissions(path: str, mode: int, owner: str | None) -> None:
    """Owner and permissions of the file of a unix socket; it is removed where that fails."""
    try:
        if sys.platform != "win32" and owner is not None:
            import shutil

            user, group = (int(name) if name.isdecimal() else name or None for name in f"{owner}:".split(":")[:2])
            shutil.chown(path, user, group)  # type: ignore[arg-type]  # one of them is not None
        if mode >= 0:
            os.chmod(path, mode)
    except (OSError, LookupError) as error:
        os.unlink(path)
        if isinstance(error, LookupError):  # no such user
            raise OSError(errno.EINVAL, f"--unix-owner {owner}: {error}") from None
        raise


def _remove_stale(family: int, path: str) -> None:
    """Removes the file of a unix socket that no process listens on. Raises OSError where one does, or may."""
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise OSError(errno.EEXIST, "there is a file of this name, which is no socket")
    seen = identity(path)
    found = _try_to_connect(family, path)
    if found == errno.ECONNREFUSED:
        if identity(path) == seen:  # else another server has just put its own there
            os.unlink(path)
    elif found in (0, errno.EAGAIN):  # EAGAIN: its backlog is full
        raise OSError(errno.EADDRINUSE, "another process listens on it")
    elif found != errno.ENOENT:
        raise OSError(errno.EADDRINUSE, f"it is there, and cannot be connected to: {os.strerror(found)}")


def _try_to_connect(family: int, path: str) -> int:
    """The number of the error; 0: there is none."""
    with socket.socket(family) as client:
        client.setblocking(False)
        return client.connect_ex(path)


def identity(path: str) -> tuple[int, int]:
    """Device and inode of a file, not of what a link leads to. Raises OSError."""
    status = os.lstat(path)
    return status.st_dev, status.st_ino
