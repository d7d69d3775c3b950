"""Which origins there are, and what a preflight is answered with."""

from __future__ import annotations

import pytest

from tpserver.http.cors import CrossOrigin, is_preflight, parse_origin

ASKS = {"HTTP_ORIGIN": "https://app.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        ("null", "null"),
        ("https://app.example", "https://app.example"),
        ("HTTPS://App.Example/", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("http://app.example:443", "http://app.example:443"),
        ("http://localhost:03000", "http://localhost:3000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_an_origin_is_as_browsers_write_it(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app.example",
        "https://",
        "https://a/b",
        "https://a, https://b",
        "https://*.example",
        "https://a\r\nX: y",
        "https://a:x",
        "https://user@a",
        "https://a?b",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        parse_origin(text)


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("X-Requested-With", "x-requested-with"),
        ("x-one,x-two , range", "x-one, x-two, range"),
        ("", None),
        ("x one", None),
        ("x\xe9", None),
        ("x-one, (", None),
        (",".join(["x"] * 200), None),
        ("x" * 5000, None),
    ],
)
@pytest.mark.parametrize("origins", [["*"], ["https://app.example", "https://other.example"]])
def test_fields_that_are_asked_for_are_allowed_as_far_as_they_are_names(
    origins: list[str], asked: str, allowed: str | None
) -> None:
    fields = {**ASKS, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": asked}
    answered = dict(CrossOrigin(origins).preflight(fields))
    assert answered.pop("Access-Control-Allow-Headers", None) == allowed
    assert answered == {"Access-Control-Allow-Methods": "GET, HEAD, OPTIONS", "Access-Control-Max-Age": "3600"}


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "HTTPS://APP.EXAMPLE", "https://app.example.evil", ""]
)
def test_an_origin_that_is_not_named_gets_nothing(origin: str) -> None:
    cors = CrossOrigin(["https://app.example"])
    assert cors.fields({"HTTP_ORIGIN": origin}) == (("Vary", "Origin"),)
    assert cors.preflight({**ASKS, "HTTP_ORIGIN": origin}) == ()


def test_only_options_with_origin_and_method_is_a_preflight() -> None:
    assert is_preflight("OPTIONS", ASKS)
    assert not is_preflight("GET", ASKS)
    assert not is_preflight("OPTIONS", {"HTTP_ORIGIN": "null"})
    assert not is_preflight("OPTIONS", {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"})
