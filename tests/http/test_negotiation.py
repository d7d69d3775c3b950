"""Negotiation as tables: which form of the server's own pages a client gets (Accept), and which content coding."""

from __future__ import annotations

import pytest

from tpserver.http.negotiation import (
    Tiers,
    accepted_codings,
    accepts_html,
    choose_coding,
    quality,
    wanted_coding,
)


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


# -- content codings, by quality


ALL = ("br", "zstd", "gzip")
BROWSER = (ALL, ("identity",))
PLAIN = (("identity",),)


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        # Who does not ask gets none.
        (None, PLAIN),
        ("", PLAIN),
        (" \t", PLAIN),
        (",", PLAIN),
        ("deflate, compress", PLAIN),
        ("identity", PLAIN),
        # What is asked for comes before what is merely not refused.
        ("gzip", (("gzip",), ("identity",))),
        ("gzip, deflate, br, zstd", BROWSER),
        ("gzip, deflate, br", (("br", "gzip"), ("identity",))),
        ("gzip;q=0.001", (("gzip",), ("identity",))),
        ("GZip;Q=0.5", (("gzip",), ("identity",))),
        ("x-gzip", (("gzip",), ("identity",))),
        ("X-GZIP;q=0.5, br;q=0.4", (("gzip",), ("br",), ("identity",))),
        # Quality values.
        ("gzip;q=0", PLAIN),
        ("gzip;q=0.0", PLAIN),
        ("gzip;q=0.000", PLAIN),
        ("gzip;q=0.", PLAIN),
        ("gzip;q=1.", (("gzip",), ("identity",))),
        ("gzip;q=0.5, br;q=0.50, zstd;q=0.500", BROWSER),
        ("gzip;q=0.9, br;q=0.899, zstd;q=1.000", (("zstd",), ("gzip",), ("br",), ("identity",))),
        ("identity, gzip;q=0.5", (("identity",), ("gzip",))),
        ("gzip, identity", (("gzip", "identity"),)),
        ("identity;q=0.5, gzip;q=0.5", (("gzip", "identity"),)),
        # "*" is whatever is not named, no coding among it.
        ("*", ((*ALL, "identity"),)),
        ("*;q=0.5", ((*ALL, "identity"),)),
        ("*;q=0.5, gzip", (("gzip",), ("br", "zstd", "identity"))),
        ("*;q=0.5, gzip;q=0", (("br", "zstd", "identity"),)),
        ("gzip, *;q=0", (("gzip",),)),
        ("*;q=0", ()),
        ("*;q=0, identity;q=0.1", PLAIN),
        ("identity;q=0", ()),
        ("identity;q=0, gzip;q=0.1", (("gzip",),)),
        ("identity;q=0, *;q=0.3", (ALL,)),
        # White space, and only HTTP's.
        ("  gzip ;  q=0.5\t,\tbr", (("br",), ("gzip",), ("identity",))),
        ("gzip\t;\tq=0", PLAIN),
        ("gzip; q =0.5", PLAIN),
        ("gzip;q= 0.5", PLAIN),
        ("\x0bgzip", PLAIN),
        ("gzip\xa0", PLAIN),
        ("gzip\x85;q=1", PLAIN),
        # What is no quality value: nothing is taken for granted.
        ("gzip;q=2", PLAIN),
        ("gzip;q=1.001", PLAIN),
        ("gzip;q=0.1234", PLAIN),
        ("gzip;q=-1", PLAIN),
        ("gzip;q=+1", PLAIN),
        ("gzip;q=1e0", PLAIN),
        ("gzip;q=nan", PLAIN),
        ("gzip;q=inf", PLAIN),
        ("gzip;q=.5", PLAIN),
        ("gzip;q=", PLAIN),
        ("gzip;q", PLAIN),
        ("gzip;", PLAIN),
        ("gzip;q=\u0661", PLAIN),
        ("gzip;level=9", PLAIN),
        ("gzip br", PLAIN),
        ("g\u017fip", PLAIN),
        ('"gzip"', PLAIN),
        ("gzip;q=2, br", (("br",), ("identity",))),
        # Said twice.
        ("gzip;q=0, gzip", PLAIN),
        ("gzip, gzip;q=0", (("gzip",), ("identity",))),
        ("gzip;q=0, x-gzip", PLAIN),
    ],
)
def test_the_codings_that_are_accepted(accept_encoding: str | None, expected: Tiers) -> None:
    assert accepted_codings(accept_encoding) == expected


@pytest.mark.parametrize("item", ["gzip" + " " * 50_000 + "x", "gzip;" + " " * 50_000 + "x", "a" * 50_000 + "\x00"])
def test_a_long_accept_encoding_is_read_in_linear_time(item: str) -> None:
    assert accepted_codings(item) == PLAIN  # the time limit of the test is what fails


@pytest.mark.parametrize(
    ("accept_encoding", "sizes", "expected"),
    [
        (None, {"identity": 100, "gzip": 10}, "identity"),
        ("gzip", {"identity": 100}, "identity"),
        ("gzip", {"identity": 100, "gzip": 10}, "gzip"),
        ("gzip", {"identity": 100, "br": 5}, "identity"),
        ("gzip, br, zstd", {"identity": 100, "gzip": 10, "br": 5, "zstd": 7}, "br"),
        ("gzip, br, zstd", {"identity": 100, "gzip": 10, "br": 12, "zstd": 11}, "gzip"),
        ("gzip, br, zstd", {"identity": 100, "gzip": 10, "br": 10, "zstd": 10}, "br"),
        ("gzip;q=0.5, br;q=0.4", {"identity": 100, "gzip": 10, "br": 5}, "gzip"),
        ("gzip, br;q=0.4", {"identity": 100, "br": 5}, "br"),
        ("gzip;q=0, *;q=0.5", {"identity": 100, "gzip": 5, "zstd": 7}, "zstd"),
        ("*", {"identity": 100, "gzip": 5}, "gzip"),
        ("*", {"identity": 4, "gzip": 5}, "identity"),
        ("identity;q=0, gzip", {"identity": 100, "gzip": 5}, "gzip"),
        ("identity;q=0", {"identity": 100, "gzip": 5}, "identity"),
        ("*;q=0", {"identity": 100, "gzip": 5}, "identity"),
    ],
)
def test_the_coding_that_is_sent(accept_encoding: str | None, sizes: dict[str, int], expected: str) -> None:
    assert choose_coding(accepted_codings(accept_encoding), sizes) == expected


@pytest.mark.parametrize(
    ("accept_encoding", "ready", "makeable", "expected"),
    [
        ("gzip, br", (), ["gzip"], "gzip"),
        ("gzip, zstd", (), ["zstd", "gzip"], "zstd"),
        ("gzip, zstd;q=0.5", (), ["zstd", "gzip"], "gzip"),
        ("gzip;q=0.1", (), ["gzip"], "gzip"),
        ("br, gzip;q=0.5", (), ["gzip"], "gzip"),
        ("*", (), ["gzip"], "gzip"),
        ("identity;q=0, *", (), ["gzip"], "gzip"),
        # Not asked for, or not better than what is there.
        (None, (), ["gzip"], None),
        ("gzip;q=0, *;q=0", (), ["gzip"], None),
        ("identity, gzip;q=0.5", (), ["gzip"], None),
        ("br", (), ["gzip"], None),
        ("gzip", (), [], None),
        ("gzip, br", ("br",), ["gzip"], None),
        ("gzip", ("gzip",), ["gzip"], None),
        ("gzip, br;q=0.5", ("br",), ["gzip"], "gzip"),
    ],
)
def test_the_coding_that_is_worth_making(
    accept_encoding: str | None, ready: tuple[str, ...], makeable: list[str], expected: str | None
) -> None:
    assert wanted_coding(accepted_codings(accept_encoding), dict.fromkeys(ready), makeable) == expected
