"""Any bytes, in any cuts: one reading, and no exception but a refusal. The long run is `python -m tests.fuzz`."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import fuzz_rules
from tests.fuzz.mutation import FOUND, PIECES, mutate, seeds
from tests.fuzz.readings import check, read, same
from tests.rounds import rounds
from tpserver.http.message import Memory, MessageReader

# The same examples each time, and as many as a few seconds allow.
few = settings(
    max_examples=rounds(150),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

known = st.sampled_from(seeds())
piece = st.one_of(st.sampled_from(PIECES), st.binary(max_size=20))


@given(st.binary(max_size=2000), st.integers(0, 1000))
@few
def test_any_bytes(data: bytes, seed: int) -> None:
    check(data, seed)


@given(st.lists(piece, max_size=40).map(b"".join), st.integers(0, 1000))
@few
def test_bytes_made_of_what_breaks_parsers(data: bytes, seed: int) -> None:
    check(data, seed)


@given(known, st.integers(0), st.integers(0), piece)
@few
def test_a_known_request_with_something_else_within(data: bytes, start: int, length: int, piece: bytes) -> None:
    at = start % (len(data) + 1)
    check(data[:at] + piece + data[at + length % 20 :], start)


@given(st.lists(known, min_size=2, max_size=4).map(b"".join), st.integers(0, 1000))
@few
def test_requests_behind_each_other(data: bytes, seed: int) -> None:
    check(data, seed)


def test_known_requests_spoilt_one_after_another_with_one_memory() -> None:
    chance = random.Random(1)
    memory = Memory()
    for number in range(rounds(1500)):
        check(mutate(chance, chance.choice(seeds()), seeds()), number, memory)


_BROWSER = (
    b"GET /a?b HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\nCookie: a=1; b=2\r\nAccept-Language: en\r\n\r\n"
    b"GET /a?b HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\nCookie: c\r\nAccept-Language: en\r\n\r\n"
)


@pytest.mark.parametrize(
    "first", [_BROWSER, _BROWSER.replace(b"Cookie", b"Accept"), _BROWSER.replace(b"Accept-Language: en\r\n", b"")]
)
def test_a_request_reads_the_same_behind_one_that_it_resembles(first: bytes) -> None:
    chance = random.Random(2)
    before = read([first])
    assert before[-1] == ("waits", "nothing")
    for _ in range(rounds(2000)):
        second = mutate(chance, first, seeds())
        assert same(read([first, second]), before[:-1] + read([second])), second


@pytest.mark.parametrize("path", sorted(FOUND.glob("*.bin")), ids=lambda path: path.stem)
def test_what_was_found_before(path: Any) -> None:
    check(path.read_bytes())


# -- whether the fuzzer would see it


def test_a_reader_that_forgets_a_byte_between_two_pieces_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    really = MessageReader.read_message

    def forgetful(reader: Any, data: bytes) -> Any:
        return really(reader, data[:-1] if data.endswith(b"x\n") else data)

    monkeypatch.setattr(MessageReader, "read_message", forgetful)
    with pytest.raises(AssertionError, match="in the pieces"):
        check(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabcx\nabcd")


@pytest.mark.parametrize("fault", [ValueError, IndexError, RecursionError])
def test_an_exception_is_not_taken_for_a_refusal(monkeypatch: pytest.MonkeyPatch, fault: type[Exception]) -> None:
    def broken(*_: Any) -> Any:
        raise fault

    monkeypatch.setattr(MessageReader, "read_message", broken)
    with pytest.raises(fault):
        check(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")


def test_what_the_long_run_finds_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def never(data: bytes, *_: Any) -> Any:
        raise AssertionError(data)

    monkeypatch.setattr("tests.fuzz.__main__.check", never)
    monkeypatch.setattr("tests.fuzz.__main__.FOUND", tmp_path / "found")
    assert not fuzz_rules(20.0, 1)
    assert list((tmp_path / "found").glob("*.bin"))


def test_a_request_is_read_at_all() -> None:
    reading = read([b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", b"GE"])
    assert reading[0][:5] == ("GET", "/a?b", "/a", "b", "HTTP/1.1")
    assert reading[1:] == (("waits", "head"),)
