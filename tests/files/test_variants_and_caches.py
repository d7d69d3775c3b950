"""A client that has the plain file, when a compressed variant of it has been made since."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from tests.client import CLOSE, Response, ask
from tests.running import Start
from tests.waiting import eventually

GZIP = "Accept-Encoding: gzip"
TEXT = b"a line of a text that can be made much shorter\n" * 200


@pytest.fixture
def running(start: Start, tmp_path: Path) -> Any:
    """The variant has been made."""
    (tmp_path / "a.txt").write_bytes(TEXT)
    running = start(root=tmp_path)
    eventually(lambda: "content-encoding" in get(running).fields, "no variant is made")
    return running


def get(running: Any, *lines: str) -> Response:
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


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=0-9", "bytes=-9", "bytes=0-1,5-6", "bytes=100000-"])
def test_a_range_of_what_the_server_made_is_all_of_it(running: Any, asked: str) -> None:
    """A download that went on by a range of the plain file would lack a part, without any sign of it."""
    whole = get(running)
    answer = get(running, f"Range: {asked}")
    assert (answer.status, answer.content) == (200, whole.content)
    assert "accept-ranges" not in {**answer.fields, **whole.fields}


def test_halves_by_the_length_of_head_are_the_file_or_no_halves(running: Any) -> None:
    for lines in ([GZIP], []):
        told = ask(running, "/a.txt", CLOSE, *lines, method="HEAD").fields
        length = int(told["content-length"])
        halves = [
            ask(running, "/a.txt", CLOSE, *lines, f"Range: bytes={first}-{last}")
            for first, last in ((0, length // 2 - 1), (length // 2, length - 1))
        ]
        if told.get("accept-ranges") == "bytes":
            assert [half.status for half in halves] == [206, 206]
            assert b"".join(half.content for half in halves) == TEXT
        else:
            assert [half.status for half in halves] == [200, 200]
            assert {half.fields["content-encoding"] for half in halves} == {"gzip"}


# -- a date is that of all variants


def whole(running: Any, *lines: str) -> bool:
    """Whether a download that goes on by the date alone begins anew."""
    modified = get(running).fields["last-modified"]
    answer = ask(running, "/a.txt", CLOSE, "Range: bytes=5-", f"If-Range: {modified}", *lines)
    coded = answer.fields.get("content-encoding") == "gzip"
    if answer.status != 200:
        return False
    assert "content-range" not in answer.fields
    return (gzip.decompress(answer.content) if coded else answer.content) == TEXT


def test_a_download_of_what_the_server_made_is_not_taken_up_by_its_date(running: Any, tmp_path: Path) -> None:
    os.utime(tmp_path / "a.txt", (1_000_000_000, 1_000_000_000))
    eventually(lambda: "content-encoding" in get(running).fields, "no variant is made")
    assert whole(running, GZIP)


def test_a_download_by_who_takes_no_codings_is_taken_up_by_its_date(running: Any, tmp_path: Path) -> None:
    os.utime(tmp_path / "a.txt", (1_000_000_000, 1_000_000_000))
    eventually(lambda: "content-encoding" in get(running).fields, "no variant is made")
    modified = ask(running, "/a.txt", CLOSE).fields["last-modified"]
    for lines in ([], ["Accept-Encoding: identity"]):
        answer = ask(running, "/a.txt", CLOSE, "Range: bytes=5-", f"If-Range: {modified}", *lines)
        assert (answer.status, answer.content) == (206, TEXT[5:])


@pytest.mark.parametrize("mode", ["auto", "sidecars"])
def test_a_download_is_not_taken_up_by_its_date_when_a_sidecar_has_come_or_gone(
    start: Start, tmp_path: Path, mode: str
) -> None:
    plain, sidecar = tmp_path / "a.txt", tmp_path / "a.txt.gz"
    plain.write_bytes(TEXT)
    os.utime(plain, (1_000_000_000, 1_000_000_000))
    running = start(root=tmp_path, compress=mode)
    assert whole(running, GZIP) == (mode == "auto"), "there is nothing else yet, nor will the server make it"
    sidecar.write_bytes(gzip.compress(TEXT))
    os.utime(sidecar, (1_000_000_000, 1_000_000_000))
    eventually(lambda: get(running).fields.get("content-encoding") == "gzip", "it is not seen")
    assert whole(running, GZIP)
    sidecar.unlink()
    assert whole(running, GZIP)


def test_a_download_is_taken_up_by_its_date_where_there_are_no_codings(start: Start, tmp_path: Path) -> None:
    for name in ("a.txt", "a.png", "a.iso"):
        (tmp_path / name).write_bytes(TEXT)
        os.utime(tmp_path / name, (1_000_000_000, 1_000_000_000))
    for target, mode in (("/a.txt", "off"), ("/a.png", "auto"), ("/a.iso", "auto")):
        running = start(root=tmp_path, compress=mode)
        modified = ask(running, target, GZIP, CLOSE).fields["last-modified"]
        assert ask(running, target, GZIP, CLOSE, "Range: bytes=5-", f"If-Range: {modified}").content == TEXT[5:]


# -- a tag is that of one


def test_who_has_a_part_of_the_variant_gets_the_rest_of_it(running: Any) -> None:
    whole = get(running)
    answer = get(running, "Range: bytes=20-", f"If-Range: {whole.fields['etag']}")
    assert (answer.status, answer.content, answer.fields["etag"]) == (206, whole.content[20:], whole.fields["etag"])
    assert answer.fields["content-encoding"] == "gzip"
    several = get(running, "Range: bytes=0-1,5-6", f"If-Range: {whole.fields['etag']}")
    assert (several.status, several.content) == (200, whole.content)


@pytest.mark.parametrize("target", ["made", "sidecar"])
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("If-Match: {tag}", 206),
        ('If-Match: "other", {tag}', 206),
        ("If-None-Match: {tag}", 304),
        ("If-None-Match: W/{tag}", 304),
        ("If-None-Match: {plain}, {tag}", 304),
        ("If-Range: {tag}", 206),
    ],
)
def test_a_condition_with_the_variants_tag_is_about_the_variant(
    running: Any, tmp_path: Path, target: str, condition: str, status: int
) -> None:
    if target == "sidecar":
        made = get(running).fields["etag"]
        (tmp_path / "a.txt.gz").write_bytes(gzip.compress(TEXT))
        eventually(lambda: get(running).fields["etag"] != made, "it is not seen")
    variant = get(running)
    tags = {"tag": variant.fields["etag"], "plain": plain_tag(running)}
    answer = get(running, condition.format(**tags), "Range: bytes=0-9")
    assert (answer.status, answer.fields["etag"]) == (status, tags["tag"])
    assert answer.content == (variant.content[:10] if status == 206 else b"")


@pytest.mark.parametrize("refused", ["gzip, identity;q=0", "gzip, *;q=0"])
def test_who_refuses_the_plain_file_is_not_told_that_it_is_unchanged(running: Any, refused: str) -> None:
    condition = f"If-None-Match: {plain_tag(running)}"
    answer = ask(running, "/a.txt", CLOSE, f"Accept-Encoding: {refused}", condition)
    assert (answer.status, answer.fields["content-encoding"]) == (200, "gzip")
    rest = ask(
        running, "/a.txt", CLOSE, f"Accept-Encoding: {refused}", f"If-Range: {plain_tag(running)}", "Range: bytes=5-"
    )
    assert (rest.status, rest.content) == (200, answer.content)
