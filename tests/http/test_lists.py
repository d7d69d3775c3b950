"""Lists in fields are bounded: a longer one counts as absent, and costs no more than its length."""

from __future__ import annotations

import pytest

from tpserver.http.conditional import Validators, evaluate
from tpserver.http.lists import MAX_LENGTH, MAX_MEMBERS, bounded, members
from tpserver.http.negotiation import IDENTITY, accepted_codings, accepts_html, quality

CURRENT = Validators('"a"', 1)


def test_members_are_in_lower_case_and_empty_ones_are_left_out() -> None:
    assert members(" Close,, \tKeep-Alive ,") == ["close", "keep-alive"]
    assert members("") == members(" , ,\t,") == []


def test_a_list_is_as_long_as_it_may_be_and_no_longer() -> None:
    assert members("," * (MAX_MEMBERS - 1)) == []
    assert members("," * MAX_MEMBERS) is None
    assert members("a" * MAX_LENGTH) == ["a" * MAX_LENGTH]
    assert members("a" * (MAX_LENGTH + 1)) is None
    assert bounded(None) is None


@pytest.mark.parametrize("filler", [",", " ,", "a,", "a;b=c,", "a/b;q=0,", '"a",'])
def test_what_a_client_accepts_is_anything_where_its_list_is_too_long(filler: str) -> None:
    value = filler * 16_000
    assert accepts_html(value + "text/html;q=0")
    assert quality(value + "application/json;q=0", "application/json") == 1.0
    assert accepted_codings(value + "gzip") == accepted_codings(None) == ((IDENTITY,),)


@pytest.mark.parametrize("filler", [",", '"b",', "\t,"])
def test_preconditions_with_too_long_lists_of_tags_are_none(filler: str) -> None:
    value = filler * 16_000
    assert evaluate("GET", {"HTTP_IF_NONE_MATCH": value + '"a"'}, CURRENT, 2) == 200
    assert evaluate("GET", {"HTTP_IF_MATCH": value}, CURRENT, 2) == 200


def test_ninety_tags_are_compared() -> None:
    tags = ", ".join(f'"{number:032x}"' for number in range(90))
    assert evaluate("GET", {"HTTP_IF_NONE_MATCH": tags + ', "a"'}, CURRENT, 2) == 304
