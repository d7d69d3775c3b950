"""A client that has the plain file, when a compressed variant of it has been made since."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from static_client import Answer, Start, ask, eventually

GZIP = "Accept-Encoding: gzip"
CLOSE = "Connection: close"
TEXT = b"a line of a text that can be made much shorter\n" * 200


@pytest.fixture
def running(start: Start, tmp_path: Path) -> Any:
    """The variant has been made."""
    (tmp_path / "a.txt").write_bytes(TEXT)
    running = start(root=tmp_path)
    eventually(lambda: "content-encoding" in get(running).fields, "no variant is made")
    return running


def get(running: Any, *lines: str) -> Answer:
    return ask(running, "/a.txt", GZIP, CLOSE, *lines)


def plain_tag(running: Any) -> str:
    return ask(running, "/a.txt", CLOSE).fields["etag"]


def test_who_has_the_plain_file_is_told_that_it_is_unchanged(running: Any) -> None:
    tag = plain_tag(running)
    answer = get(running, f"If-None-Match: {tag}")
    assert (answer.status, answer.fields["etag"], answer.fields["vary"]) == (304, tag, "Accept-Encoding")
    assert get(running, 'If-None-Match: "other"').fields["content-encoding"] == "gzip"


def test_who_has_a_part_of_the_plain_file_gets_the_rest_of_it(running: Any) -> None:
    answer = get(running, f"If-Range: {plain_tag(running)}", "Range: bytes=100-")
    assert (answer.status, answer.content) == (206, TEXT[100:])
    assert "content-encoding" not in answer.fields


def test_who_has_the_variant_is_told_that_it_is_unchanged(running: Any) -> None:
    tag = get(running).fields["etag"]
    assert tag != plain_tag(running)
    assert get(running, f"If-None-Match: {tag}").status == 304


@pytest.mark.parametrize("condition", ["", "If-Range: {modified}"])
@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=0-9", "bytes=-9"])
def test_who_may_have_a_part_of_the_plain_file_gets_the_rest_of_it(
    running: Any, tmp_path: Path, condition: str, asked: str
) -> None:
    """As a download that goes on, by a program that always takes gzip: else the halves would not fit."""
    os.utime(tmp_path / "a.txt", (1_000_000_000, 1_000_000_000))
    eventually(lambda: "content-encoding" in get(running).fields, "no variant is made")
    modified = get(running).fields["last-modified"]
    answer = get(running, f"Range: {asked}", *([condition.format(modified=modified)] if condition else []))
    assert (answer.status, answer.fields["etag"]) == (206, plain_tag(running))
    assert "content-encoding" not in answer.fields
    assert answer.fields["content-range"].endswith(f"/{len(TEXT)}")


def test_who_has_a_part_of_the_variant_gets_the_rest_of_it(running: Any) -> None:
    whole = get(running)
    answer = get(running, "Range: bytes=20-", f"If-Range: {whole.fields['etag']}")
    assert (answer.status, answer.content, answer.fields["etag"]) == (206, whole.content[20:], whole.fields["etag"])
    assert answer.fields["content-encoding"] == "gzip"
    several = get(running, "Range: bytes=0-1,5-6", f"If-Range: {whole.fields['etag']}")
    assert (several.status, several.content) == (200, whole.content)
