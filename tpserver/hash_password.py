"""The command `hash-password`: reads a password, and writes the line for a file of `--auth`."""

from __future__ import annotations

import os
import sys

from tpserver.errors import UsageError
from tpserver.http.basic_auth import hash_password, is_user


def write_hash(user: str | None) -> int:
    """Reads a password from the terminal without echo, or one line of stdin; prints its hash, behind `user`.

    Returns the exit status. Raises `UsageError`.
    """
    if user is not None and not is_user(user):
        raise UsageError("a user's name has no colon, no space and no control character, and does not begin with #")
    hashed = hash_password(_read(), os.urandom(16))
    print(hashed if user is None else f"{user}:{hashed}")
    return 0


def _read() -> bytes:
    if sys.stdin is None:
        raise UsageError("there is no stdin to read the password from")
    if sys.stdin.isatty():
        from getpass import getpass

        try:
            password = getpass("Password: ")
            if password and getpass("Again: ") != password:
                raise UsageError("the passwords differ")
        except EOFError:
            password = ""
        line = password.encode("utf-8", "surrogateescape")
    else:
        line = sys.stdin.buffer.readline().rstrip(b"\r\n")
    if not line or b"\0" in line or len(line) > 512:
        raise UsageError("a password has 1 to 512 bytes, and no NUL")
    return line
