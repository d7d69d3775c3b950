"""HTTP-dates: written in one form, read in three (RFC 9110 section 5.6.7)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpserver.http.dates import format_date, format_timestamp, parse_date

# 6 November 1994, the date of RFC 9110's own examples.
EXAMPLE = 784111777
FIRST = -62135596800  # 1 January of the year 1
LAST = 253402300799  # the last second of the year 9999


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (EXAMPLE, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (EXAMPLE + 0.999, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (4102444800, "Fri, 01 Jan 2100 00:00:00 GMT"),
        (LAST, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (LAST + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (10**30, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (FIRST - 1, "Mon, 01 Jan 0001 00:00:00 GMT"),
        (-(10**30), "Mon, 01 Jan 0001 00:00:00 GMT"),
    ],
)
def test_a_time_is_written(seconds: float, text: str) -> None:
    assert format_date(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE),
        ("Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE),
        ("Sun Nov  6 08:49:37 1994", EXAMPLE),
        ("Wed Nov 16 08:49:37 1994", EXAMPLE + 10 * 86400),
        ("Mon, 06 Nov 1994 08:49:37 GMT", EXAMPLE),  # the wrong day of the week says nothing
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228799),  # a leap second
        ("Friday, 31-Dec-99 00:00:00 GMT", 946598400),
        ("Saturday, 01-Jan-00 00:00:00 GMT", 946684800),
        ("Mon, 01 Jan 0094 00:00:00 GMT", -59200761600),  # four digits are a year as it is
    ],
)
def test_a_date_is_read_in_any_of_its_forms(text: str, seconds: int) -> None:
    assert parse_date(text, 2026) == seconds


@pytest.mark.parametrize(
    ("this_year", "text", "then"),
    [
        (2026, "Sunday, 01-Jan-26 00:00:00 GMT", "2026"),
        (2026, "Sunday, 01-Jan-76 00:00:00 GMT", "2076"),
        (2026, "Sunday, 01-Jan-77 00:00:00 GMT", "1977"),
        (2026, "Sunday, 01-Jan-99 00:00:00 GMT", "1999"),
        (2026, "Sunday, 01-Jan-00 00:00:00 GMT", "2000"),
        (1999, "Sunday, 01-Jan-99 00:00:00 GMT", "1999"),
        (2060, "Sunday, 01-Jan-05 00:00:00 GMT", "2005"),
    ],
)
def test_two_digits_are_a_year_at_most_fifty_years_ahead(this_year: int, text: str, then: str) -> None:
    seconds = parse_date(text, this_year)
    assert seconds is not None
    assert format_date(seconds)[12:16] == then


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "784111777",
        "yesterday",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Now 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1995 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:99 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",  # digits of another script
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 94",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    assert parse_date(text, 2026) is None


@settings(deadline=None)
@given(st.integers(FIRST, LAST))
def test_what_is_written_is_read_again(seconds: int) -> None:
    assert parse_date(format_date(seconds), 2026) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (EXAMPLE, "1994-11-06T08:49:37Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (LAST, "9999-12-31T23:59:59Z"),
        (LAST + 1, "9999-12-31T23:59:59Z"),
        (10**30, "9999-12-31T23:59:59Z"),
        (FIRST, "0001-01-01T00:00:00Z"),
        (-(10**30), "0001-01-01T00:00:00Z"),
    ],
)
def test_a_time_is_written_for_programs(seconds: int, text: str) -> None:
    assert format_timestamp(seconds) == text
