"""The loader of the request corpus, and what every file of the corpus must be like."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from http import HTTPStatus

import pytest

from tests.http.corpus import (
    FOLDER,
    KINDS,
    Case,
    CorpusError,
    cases,
    cut_bytes,
    cut_heads,
    cut_lines,
    cut_randomly,
    expand,
    feedings,
    parse_case,
    parse_http,
    unescape,
)

ALL = [case for kind in KINDS for case in cases(kind)]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", b""),
        ("GET / HTTP/1.1", b"GET / HTTP/1.1"),
        (r"a\r\nb", b"a\r\nb"),
        (r"\t\0", b"\t\0"),
        (r"\\r", b"\\r"),
        (r"\\\\", b"\\\\"),
        (r"\x00\x7f\x80\xFf", b"\x00\x7f\x80\xff"),
        (r"\x0d\x0a1", b"\r\n1"),
        (r"\01", b"\x001"),
    ],
)
def test_escapes(text: str, data: bytes) -> None:
    assert unescape(text) == data


@pytest.mark.parametrize("text", ["\\", "a\\", r"\q", r"\x4", r"\xg0", r"\X41", "\\\n", "\u00e9", "\t", "\r", "\x7f"])
def test_wrong_escapes_and_unwritable_characters_are_refused(text: str) -> None:
    with pytest.raises(CorpusError):
        unescape(text)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("{{*3:ab}}", "ababab"),
        ("{{*0:ab}}", ""),
        ("<{{*2:a}}-{{*2:b}}>", "<aa-bb>"),
        (r"{{*2:X: a\r\n}}", r"X: a\r\nX: a\r\n"),
        ("{{*2:a: {b} }}", "a: {b} a: {b} "),
        ("{{3:ab}}", "{{3:ab}}"),
    ],
)
def test_repetitions(text: str, expanded: str) -> None:
    assert expand(text) == expanded


@pytest.mark.parametrize("text", ["{{*3:ab", "{{*3ab}}", "{{*-1:ab}}", "{{*2:a{{*2:b}}}}"])
def test_wrong_repetitions_are_refused(text: str) -> None:
    with pytest.raises(CorpusError):
        expand(text)


def test_line_breaks_of_the_file_are_not_part_of_the_request() -> None:
    assert parse_http("GET / HTTP/1.1\\r\\n\n\nHost: a\\r\\n\n\\r\\n\n")[1] == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_comments_stand_at_the_top_only() -> None:
    assert parse_http("# one\n#two\nGET\n# three\n") == ("one\ntwo", b"GET# three")


def test_a_repetition_may_run_over_lines() -> None:
    assert parse_http("{{*2:a\\r\\n\nb}}\n")[1] == b"a\r\nba\r\nb"


@pytest.mark.parametrize("line", ["a ", "a\t", "a\r", "a\u00a0"])
def test_white_space_at_the_end_of_a_line_is_refused(line: str) -> None:
    with pytest.raises(CorpusError):
        parse_http(f"{line}\nb")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("valid", {"status": 400}),
        ("valid", {"requests": [], "comment": "none"}),
        ("valid", {"requests": [{"target": "/"}]}),
        ("valid", {"requests": [{"method": "GET", "headers": {}}]}),
        ("valid", {"requests": [], "options": {"max_size": 1}}),
        ("invalid", {}),
        ("invalid", {"status": []}),
    ],
)
def test_expectations_that_nothing_would_check_are_refused(kind: str, expected: dict[str, object]) -> None:
    with pytest.raises(CorpusError):
        parse_case(kind, "name", "GET", expected)


def test_expectations_are_read() -> None:
    request = {"method": "PUT", "body": "{{*3:a}}", "environ": {"HTTP_X": "{{*2:b}}"}}
    case = parse_case("invalid", "name", "# why\nGET", {"status": [400, 501], "requests": [request], "interim": True})
    assert (case.id, case.comment, case.data) == ("invalid/name", "why", b"GET")
    assert (case.statuses, case.interim) == ((400, 501), 1)
    assert case.requests == ({"method": "PUT", "body": "aaa", "environ": {"HTTP_X": "bb"}},)
    assert not case.repeatable


@pytest.mark.parametrize(
    ("name", "lasting", "repeatable"),
    [("name", [True, True], True), ("name", [True, False], False), ("incomplete-name", [], False)],
)
def test_what_may_come_again_on_one_connection(name: str, lasting: list[bool], repeatable: bool) -> None:
    requests = tuple({"method": "GET", "keep_alive": keep_alive} for keep_alive in lasting)
    assert Case("valid", name, "", b"GET", requests=requests).repeatable == repeatable


def test_an_interim_response_is_due_when_a_piece_ends_where_the_head_ends() -> None:
    case = Case("valid", "name", "", b"A\r\n\r\nB\r\n\r\nbody", interim=2)
    assert not case.interim_due([case.data])
    assert case.interim_due(cut_bytes(case.data))
    assert case.interim_due([case.data[:10], case.data[10:]])
    assert not case.interim_due([case.data[:5], case.data[5:]])


def test_cutting() -> None:
    data = b"a\r\n\nb\rc"
    assert cut_lines(data) == [b"a\r\n", b"\n", b"b\rc"]
    head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert cut_heads(head) == [head]
    assert cut_heads(b"\r\n" + head + b"body\r\n" + head + head[:-2]) == [b"\r\n", head, b"body\r\n", head, head[:-2]]
    assert cut_bytes(b"abc") == [b"a", b"b", b"c"]
    assert cut_randomly(data, 1) == cut_randomly(data, 1)
    assert len({tuple(cut_randomly(data, seed)) for seed in range(20)}) > 5
    for seed in range(20):
        pieces = cut_randomly(data, seed)
        assert b"".join(pieces) == data
        assert all(pieces)


@pytest.mark.parametrize("kind", KINDS)
def test_each_case_is_two_files_with_a_plain_name(kind: str) -> None:
    files = sorted((FOLDER / kind).iterdir())
    assert files
    assert {path.suffix for path in files} == {".http", ".json"}
    assert {path.stem for path in files if path.suffix == ".http"} == {
        path.stem for path in files if path.suffix == ".json"
    }
    assert [path.stem for path in files if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", path.stem)] == []


def test_files_are_small_and_end_with_a_line_break() -> None:
    for path in (path for kind in KINDS for path in (FOLDER / kind).iterdir()):
        content = path.read_bytes()
        assert len(content) < 3000, path
        assert content.endswith(b"\n"), path


def test_no_two_cases_are_the_same() -> None:
    names = defaultdict(list)
    for case in ALL:
        names[case.data, json.dumps(case.options)].append(case.id)
    assert [same for same in names.values() if len(same) > 1] == []


def test_every_case_says_what_it_is_and_where_it_comes_from() -> None:
    for case in ALL:
        what, *sources = case.comment.split("\n")
        assert what.endswith("."), case.id
        assert any(source.startswith("Source: ") for source in sources), case.id
        assert case.data, case.id


def test_statuses_are_those_of_refusals() -> None:
    for case in ALL:
        for status in case.statuses:
            assert HTTPStatus(status) >= 400, case.id
        assert len(set(case.statuses)) == len(case.statuses), case.id


def test_only_the_last_request_ends_the_connection() -> None:
    for case in ALL:
        lasting = [request.get("keep_alive", True) for request in case.requests]
        if case.kind == "valid":
            lasting = lasting[:-1]  # nothing is refused after it
        assert all(lasting), case.id


def test_an_interim_response_is_due_at_an_empty_line_that_is_there() -> None:
    for case in ALL:
        assert case.interim_due(cut_bytes(case.data)) == bool(case.interim), case.id


def test_every_feeding_brings_the_same_bytes() -> None:
    for case in ALL:
        for how, runs in feedings(case):
            for pieces in runs:
                assert b"".join(pieces) == case.data, f"{case.id}[{how}]"
