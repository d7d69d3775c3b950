"""Any text in the values that the rules of HTTP read: an answer or a refusal, never another exception."""

from __future__ import annotations

import contextlib
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rounds import rounds
from tpserver.errors import ApplicationError, RequestRefused
from tpserver.files import media, paths
from tpserver.http import conditional, dates, negotiation, pages, response, target

few = settings(max_examples=rounds(200), deadline=None, derandomize=True, database=None)

# What a field value may hold once its line has been checked: latin-1 without controls.
_BAD = "".join(map(chr, [*range(0x09), *range(0x0A, 0x20), 0x7F]))
value = st.text(st.characters(max_codepoint=0xFF, exclude_characters=_BAD), max_size=200)
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=200)
path = st.text(st.characters(max_codepoint=0xFF), max_size=100)


def listed(*words: str) -> st.SearchStrategy[str]:
    """Values made of these words and of what stands between them, and of anything."""
    return st.lists(st.one_of(st.sampled_from(words), value.map(lambda text: text[:5])), max_size=20).map("".join)


tags = listed('"a"', 'W/"a"', '"', "W/", "*", ",", " ", "\t", '"a', '"\xff"')
when = listed(
    "Sun", "Sunday", ", ", "06", "-", "Nov", " ", "1994", "94", "08:49:37", "GMT", "99", "31", "Feb", "0000", "60"
)
accepted = listed("text/html", "*/*", ";q=", "0", "1", ".000", "0.5", ";", ",", " ", "text/*", "q", "\xb2")


@given(tags, st.sampled_from(['"a"', 'W/"a"', '"\xff"', "none"]), st.booleans())
@few
def test_entity_tags(text: str, etag: str, weak: bool) -> None:
    assert conditional.matches(text, etag, weak=weak) in (True, False)


@given(
    st.dictionaries(st.sampled_from(["HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"]), tags),
    when,
    when,
    st.sampled_from(["GET", "PUT"]),
)
@few
def test_preconditions(fields: dict[str, str], since: str, unmodified: str, method: str) -> None:
    fields |= {"HTTP_IF_MODIFIED_SINCE": since, "HTTP_IF_UNMODIFIED_SINCE": unmodified}
    current = conditional.Validators('"a"', 784111777)
    assert conditional.evaluate(method, fields, current, 1_790_000_000) in (200, 304, 412)


@given(when)
@few
def test_dates(text: str) -> None:
    seconds = dates.parse_date(text, 2026)
    if seconds is not None:
        assert dates.parse_date(dates.format_date(seconds), 2026) == seconds


@given(st.integers(-62135596800, 253402300799))
@few
def test_a_date_is_written_as_it_is_read(seconds: int) -> None:
    assert dates.parse_date(dates.format_date(seconds), 2026) == seconds


@given(accepted)
@few
def test_negotiation(text: str) -> None:
    assert 0 <= negotiation.quality(text, "text/html") <= 1
    assert negotiation.accepts_html(text) in (True, False)


@given(
    st.sampled_from(["GET", "OPTIONS", "CONNECT"]),
    st.one_of(
        visible,
        listed_visible := st.lists(
            st.sampled_from(
                ["/", "%", "%00", "%2f", "..", "?", "#", "*", "http://", "h", ":", "80", "[::1]", "@", "a"]
            ),
            min_size=1,
            max_size=12,
        ).map("".join),
    ),
)
@few
def test_targets(method: str, text: str) -> None:
    with contextlib.suppress(RequestRefused):
        decoded, query, _ = target.parse_target(method, text)
        assert "\0" not in decoded
        assert "#" not in query


@given(path, st.booleans())
@few
def test_paths_stay_below_their_folder(text: str, windows: bool) -> None:
    names = paths.segments(text, windows=windows)
    for name in names or ():
        assert name
        assert not set(name) & set("/\\\0")
        assert name not in (".", "..")
        assert not (windows and ":" in name)


@given(path)
@few
def test_media_types(text: str) -> None:
    assert "/" in media.media_type(text)


name = st.text(st.sampled_from(string.printable + "\xe9\u0130\ud800"), max_size=10)
told = st.text(st.sampled_from(string.printable + "\r\n\0\x85\xe9\u0130\ud800"), max_size=20)


@given(st.one_of(st.just("200 OK"), told), st.lists(st.tuples(name, told), max_size=4))
@few
def test_nothing_that_an_application_says_becomes_another_line(status: str, fields: list[tuple[str, str]]) -> None:
    with contextlib.suppress(ApplicationError):
        head = response.application_head(status, fields, response.response_memory())
        lines = head.lines.split(b"\r\n")
        assert lines[-1] == b""
        assert len(lines) <= len(fields) + 2
        assert not any(set(line) & set(b"\r\n\0") for line in lines)


@given(st.text(max_size=50), st.booleans())
@few
def test_a_page_shows_a_detail_as_text(detail: str, html: bool) -> None:
    media_type, content = pages.page(400, detail, html=html)
    assert b"<script" not in content or "html" not in media_type
