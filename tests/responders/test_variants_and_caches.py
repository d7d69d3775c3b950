"""A client that has the plain file, when a compressed variant of it has been made since."""

from __future__ import annotations

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
