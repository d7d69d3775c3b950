"""Basic authentication (RFC 7617): credentials, a file of users, and hashes of passwords by scrypt (RFC 7914).

`hashlib` is imported where it is used: few servers need it, and it takes a part of the start.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode, b64encode
from typing import Final, NamedTuple

# Longest user name and password together, in bytes.
_LONGEST: Final = 1024
_BASIC: Final = re.compile(r"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/]+={0,2})")
# No colon (RFC 7617 section 2), and nothing that could end a line of the log.
_USER: Final = re.compile(r"[^:\x00-\x1f\x7f-\x9f\s]+")
_HASH: Final = re.compile(
    r"scrypt\$([0-9]{1,7})\$([0-9]{1,2})\$([0-9]{1,2})\$([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+={0,2})"
)
# What a check may take: 64 MiB of memory, and eight times the work of a hash of our own.
_MOST_MEMORY: Final = 64 * 1024**2
_MOST_WORK: Final = 2**20
# Parameters of new hashes: 16 MiB, some 50 milliseconds.
_N, _R, _P = 2**14, 8, 1


class Credentials(NamedTuple):
    """What a client sends: the user's name, and the password in UTF-8."""

    user: str
    password: bytes


class PasswordHash(NamedTuple):
    """A hash by scrypt, with its parameters."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes


# Stands for the hash of a user that there is none of: a check takes as long.
NO_USER: Final = PasswordHash(_N, _R, _P, b"\0" * 16, b"")


def parse_credentials(value: str | None) -> Credentials | None:
    """The value of an Authorization field -> credentials; None where it has none that anybody could have."""
    match = _BASIC.fullmatch(value) if value is not None and len(value) <= 2 * _LONGEST else None
    if match is None:
        return None
    try:
        user, colon, password = b64decode(match[1]).partition(b":")
        name = user.decode("utf-8")
    except ValueError:  # binascii.Error and UnicodeDecodeError
        return None
    if not colon or len(user) + len(password) > _LONGEST or b"\0" in password:
        return None
    return Credentials(unicodedata.normalize("NFC", name), _normalized(password))


def parse_users(text: str) -> dict[str, PasswordHash]:
    """The lines of a file, `user:scrypt$...` -> hashes by user. Blank lines and those that begin with # do not count.

    Raises ValueError, whose text names the line and not what stands in it.
    """
    users: dict[str, PasswordHash] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        user, _, rest = line.partition(":")
        if _USER.fullmatch(user) is None:
            raise ValueError(f"line {number}: it is not user:scrypt$..., as tpserver hash-password writes it")
        try:
            hashed = parse_hash(rest)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if (user := unicodedata.normalize("NFC", user)) in users:
            raise ValueError(f"line {number}: the user is there twice")
        users[user] = hashed
    return users


def parse_hash(text: str) -> PasswordHash:
    """A text scrypt$N$r$p$salt$key, the last two in base64 -> the hash. Raises ValueError."""
    match = _HASH.fullmatch(text)
    if match is None:
        raise ValueError("what follows the user is no hash; python -m tpserver hash-password makes one")
    n, r, p = (int(match[number]) for number in (1, 2, 3))
    try:
        salt, key = b64decode(match[4]), b64decode(match[5])
    except ValueError:
        raise ValueError("the hash is cut or changed: its base64 is malformed") from None
    if n < 2 or n & (n - 1) or not r or not p or len(key) < 16 or len(salt) < 8 or len(key) > 64 or len(salt) > 64:
        raise ValueError("the parameters of the hash are none of scrypt, or too weak")
    if 128 * n * r > _MOST_MEMORY or n * r * p > _MOST_WORK:
        raise ValueError("the hash takes more memory or time than a check may: N=16384, r=8, p=1 is usual")
    return PasswordHash(n, r, p, salt, key)


def hash_password(password: bytes, salt: bytes) -> str:
    """The hash of a password as it stands in a file behind the user's name."""
    made = PasswordHash(_N, _R, _P, salt, b"\0" * 32)
    key = _scrypt(_normalized(password), made)
    return f"scrypt${_N}${_R}${_P}${b64encode(salt).decode()}${b64encode(key).decode()}"


def is_user(text: str) -> bool:
    """Whether a file of users may have a user of that name."""
    return _USER.fullmatch(text) is not None and not text.startswith("#")


def is_password(password: bytes, hashed: PasswordHash) -> bool:
    """Whether `hashed` is the hash of `password`. Takes some 50 milliseconds: never the leader."""
    from hmac import compare_digest

    return compare_digest(_scrypt(password, hashed), hashed.key)


def _scrypt(password: bytes, hashed: PasswordHash) -> bytes:
    import hashlib

    n, r, p, salt, key = hashed
    most = 128 * r * (n + p + 2) + 1024**2
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=most, dklen=len(key) or 32)


def _normalized(password: bytes) -> bytes:
    """In one form of Unicode, whatever the keyboard makes (RFC 7617 section 2.1); other bytes as they are."""
    try:
        return unicodedata.normalize("NFC", password.decode("utf-8")).encode("utf-8")
    except UnicodeDecodeError:
        return password
