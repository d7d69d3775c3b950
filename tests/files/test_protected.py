"""Which paths a rule of --auth protects."""

from __future__ import annotations

import pytest

from tpserver.files.protected import AuthRule, Protection, parse_auth
from tpserver.files.rules import as_private

RULES = [AuthRule("admin/**", "a"), AuthRule("*.key", "b"), AuthRule("/private", "a")]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/", -1),
        ("/public/a.txt", -1),
        ("/administrator", -1),
        ("/other/admin/x", -1),
        ("/admin", 0),
        ("/admin/", 0),
        ("/admin/x/y", 0),
        ("//admin//x", 0),
        ("/./admin/./x", 0),
        ("/admin/../public", 0),
        ("/public/../admin/x", 0),
        ("/../admin/x", 0),
        ("/a/b/../../admin", 0),
        ("/ADMIN/x", 0),
        ("/Adm\u0131n/x".encode().decode("latin-1"), -1),
        ("/\\admin\\x", 0),
        ("/a/b.key", 1),
        ("/a/b.KEY/more", 1),
        ("/admin/b.key", 1),
        ("/private", 2),
        ("/private/x/y", 2),
        ("/x/private", -1),
        ("/admin\u200b/x".encode().decode("latin-1"), 0),
        ("/\uff41dmin/x".encode().decode("latin-1"), 0),
        ("/\xff/admin", -1),
        ("/" + "a/" * 50, 2),
        ("/" + "a" * 5000, 2),
        ("/" + "a/" * 30_000, 2),
    ],
)
def test_a_path_is_protected_however_it_is_written(path: str, rule: int) -> None:
    assert Protection(RULES).of_request(path) == rule


def test_everything_is_protected_by_two_stars() -> None:
    for glob in ("**", "*"):
        protection = Protection([AuthRule(glob, "a")])
        assert [protection.of_request(path) for path in ("/", "/a", "/a/b", "/..", "//")] == [0] * 5


def test_a_listing_leaves_out_what_is_for_others() -> None:
    protection = Protection(RULES)
    assert protection.conceals("", ["admin"])
    assert protection.conceals("", ["a.key"])
    assert not protection.conceals("", ["a.txt"])
    assert not protection.conceals("admin", ["admin/a.txt"])
    assert protection.conceals("admin", ["admin/a.key"])
    assert not protection.conceals("admin", ["private/x"])  # the same users
    assert protection.conceals("", ["link.txt", "private/x"])


@pytest.mark.parametrize("text", ["", "admin", "admin=", "=users", "/admin/=users", "a**=users"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"GLOB=FILE|glob"):
        parse_auth(text)


@pytest.mark.parametrize(
    ("value", "private"),
    [
        (None, "private"),
        ("no-cache", "private, no-cache"),
        ("public, max-age=31536000, immutable", "private, max-age=31536000, immutable"),
        ("PUBLIC , s-maxage=5,max-age=1", "private, max-age=1"),
        ("private, max-age=1", "private, max-age=1"),
    ],
)
def test_no_shared_cache_keeps_what_is_protected(value: str | None, private: str) -> None:
    assert as_private(value) == private
