"""Credentials, files of users, and hashes of passwords."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tpserver.http.basic_auth import (
    Credentials,
    hash_password,
    is_password,
    is_user,
    parse_credentials,
    parse_hash,
    parse_users,
)

SALT, KEY = b64encode(b"s" * 16).decode(), b64encode(b"k" * 32).decode()


def basic(text: bytes) -> str:
    return "Basic " + b64encode(text).decode()


@pytest.mark.parametrize(
    ("value", "credentials"),
    [
        (basic(b"ann:secret"), Credentials("ann", b"secret")),
        (basic(b"ann:a:b:c"), Credentials("ann", b"a:b:c")),
        (basic(b"ann:"), Credentials("ann", b"")),
        (basic(b":x"), Credentials("", b"x")),
        ("bAsIc   " + b64encode(b"ann:secret").decode(), Credentials("ann", b"secret")),
        (basic("zo\u00e9:p\u00e9".encode()), Credentials("zo\u00e9", "p\u00e9".encode())),
        (basic("zoe\u0301:pe\u0301".encode()), Credentials("zo\u00e9", "p\u00e9".encode())),
        (basic(b"ann:\xff"), Credentials("ann", b"\xff")),
        (basic(b"\xff:x"), None),
        (basic(b"ann"), None),
        (basic(b"ann:\0"), None),
        (basic(b"ann:" + b"x" * 2000), None),
        ("Basic YW5uOng", None),
        ("Basic ====", None),
        ("Basic", None),
        ("Basic YW5uOng= x", None),
        ("Bearer YW5uOng=", None),
        ("Basic " + "A" * 60_000, None),
        ("", None),
        (None, None),
    ],
)
def test_credentials_are_read_as_rfc_7617_writes_them(value: str | None, credentials: Credentials | None) -> None:
    assert parse_credentials(value) == credentials


def test_a_hash_is_that_of_its_password_alone() -> None:
    hashed = parse_hash(hash_password("pe\u0301".encode(), b"s" * 16))
    assert is_password("p\u00e9".encode(), hashed)
    assert not is_password(b"pe", hashed)
    assert not is_password(b"pe", hashed._replace(key=b""))


def test_a_file_of_users_has_comments_and_blank_lines() -> None:
    line = f"scrypt$16384$8$1${SALT}${KEY}"
    users = parse_users(f"# who\r\nann:{line}\r\n\n  bob:{line}  \n")
    assert list(users) == ["ann", "bob"]
    assert users["ann"] == (16384, 8, 1, b"s" * 16, b"k" * 32)
    assert parse_users("") == {}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("ann", "no hash"),
        ("ann:secret", "no hash"),
        ("ann:$apr1$secret", "no hash"),
        (f":scrypt$16384$8$1${SALT}${KEY}", "is not user:scrypt"),
        (f"a b:scrypt$16384$8$1${SALT}${KEY}", "is not user:scrypt"),
        (f"ann:scrypt$16384$8$1$secret${KEY}", "base64 is malformed|too weak"),
        (f"ann:scrypt$16383$8$1${SALT}${KEY}", "none of scrypt"),
        (f"ann:scrypt$16384$0$1${SALT}${KEY}", "none of scrypt"),
        (f"ann:scrypt$16384$8$1${SALT}$c2VjcmV0", "too weak"),
        (f"ann:scrypt$1048576$8$1${SALT}${KEY}", "more memory or time"),
        (f"ann:scrypt$16384$8$99${SALT}${KEY}", "more memory or time"),
        (f"good:scrypt$16384$8$1${SALT}${KEY}", "there twice"),
    ],
)
def test_a_malformed_line_is_told_by_its_number_and_not_by_what_is_in_it(line: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as caught:
        parse_users(f"good:scrypt$16384$8$1${SALT}${KEY}\n{line}\n")
    assert "line 2" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a:b", "a b", "#ann", "a\n"])
def test_some_names_are_none(name: str) -> None:
    assert not is_user(name)
    assert is_user("zo\u00e9@example.org")
