"""Which form of the server's own pages a client gets: Accept, as a table (RFC 9110 section 12.5.1)."""

from __future__ import annotations

import pytest

from tpserver.http.negotiation import accepts_html, quality


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html", 1.0),
        ("TEXT/HTML", 1.0),
        ("text/*", 1.0),
        ("*/*", 1.0),
        ("application/json", 0.0),
        ("", 0.0),
        (",", 0.0),
        ("text/html;q=0.5", 0.5),
        ("text/html ; q=0.5", 0.5),
        ("text/html;Q=0.25", 0.25),
        ("text/html;q=0", 0.0),
        ("text/html;q=0.000", 0.0),
        ("text/html;q=1.000", 1.0),
        ("text/html;charset=utf-8;q=0.3", 0.3),
        # The most specific range decides, not the greatest nor the first one.
        ("text/html;q=0.2, */*", 0.2),
        ("*/*, text/html;q=0.2", 0.2),
        ("*/*;q=0.1, text/*;q=0.7", 0.7),
        ("text/*;q=0, */*", 0.0),
        ("text/html;q=0, text/*, */*", 0.0),
        ("application/json, text/plain, */*;q=0.8", 0.8),
        ("image/*, text/htmlx, xtext/html", 0.0),
        # What is no quality value counts for nothing.
        ("text/html;q=2", 1.0),
        ("text/html;q=-1", 1.0),
        ("text/html;q=", 1.0),
        ("text/html;q=0.1234", 1.0),
        ("text/html;q=\u0660", 1.0),
        (";q=0.5", 0.0),
        ("text/html,,;,/", 1.0),
    ],
)
def test_the_quality_of_html(accept: str, expected: float) -> None:
    assert quality(accept, "text/html") == expected


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (None, True),
        ("*/*", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", True),
        ("application/json", False),
        ("application/json, */*;q=0.1", True),
        ("text/html;q=0, */*", False),
        ("text/plain", False),
    ],
)
def test_who_gets_a_page_of_html(accept: str | None, html: bool) -> None:
    assert accepts_html(accept) is html
