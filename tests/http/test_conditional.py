"""Preconditions, as a table of cases: what the client sends, what there is, what comes of it (RFC 9110 section 13)."""

from __future__ import annotations

import pytest

from tpserver.http.conditional import Validators, evaluate, matches, range_holds

BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
SAME = "Sun, 06 Nov 1994 08:49:37 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"
STRONG = Validators('"a"', 784111777)
WEAK = Validators('W/"a"', 784111777)
NOW = STRONG.last_modified + 1

IF_MATCH = "HTTP_IF_MATCH"
IF_NONE_MATCH = "HTTP_IF_NONE_MATCH"
IF_MODIFIED_SINCE = "HTTP_IF_MODIFIED_SINCE"
IF_UNMODIFIED_SINCE = "HTTP_IF_UNMODIFIED_SINCE"


@pytest.mark.parametrize(
    ("value", "weakly", "strongly"),
    [
        ('"a"', True, True),
        ('W/"a"', True, False),
        ('"b"', False, False),
        ("*", True, True),
        (" * ", True, True),
        ('"b", "a"', True, True),
        ('"b","a"', True, True),
        ('"b" , W/"a"', True, False),
        ('W/"a", "a"', True, True),
        (', ,"a",', True, True),
        ('"b"\t,\t"a"', True, True),
        ('"a,b", "c"', False, False),
        ('"x", "a,b"', False, False),
        ('"', False, False),
        ('"a', False, False),
        ("a", False, False),
        ('w/"a"', False, False),  # the W is a capital letter
        ('"A"', False, False),
        ("", False, False),
        ('""', False, False),
        ('nonsense, "a"', False, False),
        ('"b", nonsense, "a"', False, False),
        ('*, "a"', False, False),
        ('"b", *', False, False),
    ],
)
def test_a_list_of_entity_tags_holds_the_current_one(value: str, weakly: bool, strongly: bool) -> None:
    assert matches(value, '"a"', weak=True) is weakly
    assert matches(value, '"a"', weak=False) is strongly


@pytest.mark.parametrize(
    ("value", "weakly", "strongly"), [('"a"', True, False), ('W/"a"', True, False), ("*", True, True)]
)
def test_a_weak_tag_is_equal_to_none_strongly(value: str, weakly: bool, strongly: bool) -> None:
    assert matches(value, 'W/"a"', weak=True) is weakly
    assert matches(value, 'W/"a"', weak=False) is strongly


def test_an_empty_tag_is_a_tag() -> None:
    assert matches('"b", ""', '""', weak=False)


def test_a_tag_may_hold_a_comma() -> None:
    assert matches('"x", "a,b"', '"a,b"', weak=False)


def test_a_very_long_list_is_read_to_its_end() -> None:
    assert matches(", ".join(f'"{number}"' for number in range(20_000)), '"19999"', weak=True)
    assert not matches("," * 100_000, '"a"', weak=True)
    assert not matches('W/"' * 30_000, '"a"', weak=True)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({IF_NONE_MATCH: '"a"'}, 304),
        ({IF_NONE_MATCH: 'W/"a"'}, 304),
        ({IF_NONE_MATCH: '"b", "a"'}, 304),
        ({IF_NONE_MATCH: "*"}, 304),
        ({IF_NONE_MATCH: '"b"'}, 200),
        ({IF_NONE_MATCH: "a"}, 200),
        ({IF_MODIFIED_SINCE: SAME}, 304),
        ({IF_MODIFIED_SINCE: AFTER}, 304),
        ({IF_MODIFIED_SINCE: BEFORE}, 200),
        ({IF_MODIFIED_SINCE: "Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
        ({IF_MODIFIED_SINCE: "Sun Nov  6 08:49:37 1994"}, 304),
        ({IF_MODIFIED_SINCE: "nonsense"}, 200),
        ({IF_MODIFIED_SINCE: ""}, 200),
        # If-None-Match is the better question: the other one is not asked any more.
        ({IF_NONE_MATCH: '"b"', IF_MODIFIED_SINCE: SAME}, 200),
        ({IF_NONE_MATCH: '"a"', IF_MODIFIED_SINCE: BEFORE}, 304),
        ({IF_MATCH: '"a"'}, 200),
        ({IF_MATCH: '"b", "a"'}, 200),
        ({IF_MATCH: "*"}, 200),
        ({IF_MATCH: '"b"'}, 412),
        ({IF_MATCH: 'W/"a"'}, 412),
        ({IF_MATCH: "nonsense"}, 412),
        ({IF_UNMODIFIED_SINCE: SAME}, 200),
        ({IF_UNMODIFIED_SINCE: AFTER}, 200),
        ({IF_UNMODIFIED_SINCE: BEFORE}, 412),
        ({IF_UNMODIFIED_SINCE: "nonsense"}, 200),
        ({IF_MATCH: '"a"', IF_UNMODIFIED_SINCE: BEFORE}, 200),
        ({IF_MATCH: '"b"', IF_UNMODIFIED_SINCE: AFTER}, 412),
        # First whether it is the same, then whether it is new.
        ({IF_MATCH: '"a"', IF_NONE_MATCH: '"a"'}, 304),
        ({IF_MATCH: '"b"', IF_NONE_MATCH: '"a"'}, 412),
        ({IF_UNMODIFIED_SINCE: SAME, IF_MODIFIED_SINCE: SAME}, 304),
        ({IF_UNMODIFIED_SINCE: BEFORE, IF_MODIFIED_SINCE: BEFORE}, 412),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_under_conditions(method: str, fields: dict[str, str], status: int) -> None:
    assert evaluate(method, fields, STRONG, NOW) == status


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({IF_NONE_MATCH: "*"}, 412),
        ({IF_NONE_MATCH: '"a"'}, 412),
        ({IF_NONE_MATCH: '"b"'}, 200),
        ({IF_MATCH: '"b"'}, 412),
        ({IF_MODIFIED_SINCE: SAME}, 200),
        ({IF_UNMODIFIED_SINCE: BEFORE}, 412),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_writing_under_conditions(method: str, fields: dict[str, str], status: int) -> None:
    assert evaluate(method, fields, STRONG, NOW) == status


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({IF_NONE_MATCH: '"a"'}, 304),
        ({IF_NONE_MATCH: 'W/"a"'}, 304),
        ({IF_MATCH: 'W/"a"'}, 412),
        ({IF_MATCH: "*"}, 200),
    ],
)
def test_a_weak_validator_tells_what_is_new_but_not_what_is_the_same(fields: dict[str, str], status: int) -> None:
    assert evaluate("GET", fields, WEAK, NOW) == status


@pytest.mark.parametrize(
    ("value", "current", "now", "holds"),
    [
        ('"a"', STRONG, NOW, True),
        ('"b"', STRONG, NOW, False),
        ('"A"', STRONG, NOW, False),
        ('W/"a"', STRONG, NOW, False),
        ('"a"', WEAK, NOW, False),
        ('W/"a"', WEAK, NOW, False),
        ("a", STRONG, NOW, False),
        ("*", STRONG, NOW, False),
        ("", STRONG, NOW, False),
        ('"b", "a"', STRONG, NOW, False),  # one tag, not a list of them
        ('"a", "a"', STRONG, NOW, False),
        (SAME, STRONG, NOW, True),
        (SAME, STRONG, NOW + 1_000_000, True),
        ("Sunday, 06-Nov-94 08:49:37 GMT", STRONG, NOW, True),
        ("Sun Nov  6 08:49:37 1994", STRONG, NOW, True),
        (BEFORE, STRONG, NOW, False),
        (AFTER, STRONG, NOW + 10, False),
        ("Sun, 06 Nov 1994 08:49:37", STRONG, NOW, False),
        ("yesterday", STRONG, NOW, False),
        # In the second in which a file has changed it may change again: its date tells less than its tag.
        (SAME, STRONG, STRONG.last_modified, False),
        ('"a"', STRONG, STRONG.last_modified, True),
        (SAME, STRONG, STRONG.last_modified - 100, False),
    ],
)
def test_a_range_counts_if_the_file_is_still_the_same(value: str, current: Validators, now: int, holds: bool) -> None:
    assert range_holds(value, current, now) is holds


def test_very_long_dates_are_none_and_are_not_remembered() -> None:
    long = SAME + " " * 10_000
    assert not range_holds(long, STRONG, NOW)
    assert evaluate("GET", {IF_MODIFIED_SINCE: long}, STRONG, NOW) == 200


@pytest.mark.parametrize("name", [IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE])
@pytest.mark.parametrize("date", [BEFORE, SAME, AFTER])
def test_without_a_date_to_compare_with_a_date_counts_for_nothing(name: str, date: str) -> None:
    undated = Validators('"a"', None)
    assert evaluate("GET", {name: date}, undated, NOW) == 200
    assert not range_holds(date, undated, 2**32)
    assert not range_holds("never", undated, 2**32)


IN_2026 = 1_790_000_000
IN_2076 = 3_370_000_000


@pytest.mark.parametrize(
    ("date", "now", "status"),
    [
        # Of 1994, whichever year it is asked in; what the file has is of that time.
        ("Sunday, 06-Nov-94 08:49:37 GMT", IN_2026, 304),
        ("Saturday, 05-Nov-94 08:49:37 GMT", IN_2026, 200),
        # 2030 when it is asked in 2026, and so is all that has two digits less than fifty years ahead of it.
        ("Wednesday, 06-Nov-30 08:49:37 GMT", IN_2026, 304),
        ("Friday, 06-Nov-70 08:49:37 GMT", IN_2026, 304),
        # 1980: before the file.
        ("Thursday, 06-Nov-80 08:49:37 GMT", IN_2026, 200),
        # 2080, when that is near.
        ("Wednesday, 06-Nov-80 08:49:37 GMT", IN_2076, 304),
    ],
)
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(date: str, now: int, status: int) -> None:
    assert evaluate("GET", {IF_MODIFIED_SINCE: date}, STRONG, now) == status
    assert evaluate("GET", {IF_UNMODIFIED_SINCE: date}, STRONG, now) == (200 if status == 304 else 412)
