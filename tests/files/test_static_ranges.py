"""Parts of files over the wire: what a video player, a download that goes on, and a reader of documents get."""

from __future__ import annotations

import email
import gzip
import os
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.client import Client, Response, ask, request
from tests.files.opens import before_opening, opened
from tests.running import Start
from tests.waiting import eventually
from tpserver.http.dates import format_date

MODIFIED = 784111777
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
SAME = "Sun, 06 Nov 1994 08:49:37 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"


class Served(NamedTuple):
    """A server, and the one file that it has, /a.txt."""

    running: Any
    content: bytes
    path: Path

    def ask(self, *lines: str, **how: Any) -> Response:
        return ask(self.running, "/a.txt", *lines, **how)


def serve(start: Start, root: Path, size: int, **options: Any) -> Served:
    path = root / "a.txt"
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    path.write_bytes(content)
    os.utime(path, (MODIFIED, MODIFIED))
    return Served(start(root=str(root), **options), content, path)


@pytest.fixture(params=[1000, 200_000], ids=["in memory", "on disk"])
def served(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Served:
    """A file that is kept in memory, and one that is not."""
    return serve(start, tmp_path, request.param)


def parts(answer: Response) -> list[tuple[str, str]]:
    """(Content-Type, Content-Range) of each part of a multipart answer, as the standard library reads it."""
    head = f"Content-Type: {answer.fields['content-type']}\r\n\r\n".encode("latin-1")
    message = email.message_from_bytes(head + answer.content)
    assert message.is_multipart()
    assert not message.defects
    found = message.get_payload()
    assert isinstance(found, list)
    return [(part["Content-Type"], part["Content-Range"]) for part in found]


# -- one range


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=-1", -1, -1),
        ("bytes=0-", 0, -1),
        ("bytes=1-", 1, -1),
        ("bytes=500-599", 500, 599),
        ("bytes=-10", -10, -1),
        ("bytes=990-99999999999999999999", 990, -1),
        ("bytes=-99999999999999999999", 0, -1),
        ("bytes=0-0,1000000-", 0, 0),
        ("BYTES=2-3", 2, 3),
    ],
)
def test_a_part_is_sent_and_nothing_else(served: Served, asked: str, first: int, last: int) -> None:
    size = len(served.content)
    first, last = first % size, last % size
    answer = served.ask(f"Range: {asked}")
    assert answer.status == 206
    assert answer.content == served.content[first : last + 1]
    assert answer.fields["content-range"] == f"bytes {first}-{last}/{size}"
    assert answer.fields["content-length"] == str(last - first + 1)


def test_a_part_says_what_the_whole_would(served: Served) -> None:
    whole = served.ask().fields
    part = served.ask("Range: bytes=0-0").fields
    assert whole["accept-ranges"] == "bytes"
    assert part == {**whole, "date": part["date"], "content-length": "1", "content-range": part["content-range"]}


@pytest.mark.parametrize(
    "asked",
    [
        "lines=0-1",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-z",
        "bytes=0-0,x",
        "bytes=0x1-0x2",
        "bytes=\xb2-\xb3",
        "bytes=0-,0-",
        "bytes=" + ",".join(f"{at}-{at}" for at in range(1000)),
        "bytes=" + ",".join(["0-0"] * 1000),
        "bytes=0-" + ",0-" * 1299,  # what brought down a server once
    ],
)
def test_what_is_no_range_or_too_many_gets_the_whole(served: Served, asked: str) -> None:
    answer = served.ask(f"Range: {asked}")
    assert (answer.status, answer.content) == (200, served.content)
    assert "content-range" not in answer.fields


@pytest.mark.parametrize("asked", ["bytes={size}-", "bytes={size}-{size}", "bytes=99999999999999999999-", "bytes=-0",
                                   "bytes={size}-,-0"])  # fmt: skip
def test_what_lies_beyond_the_end_is_416_and_the_size_is_told(served: Served, asked: str) -> None:
    size = len(served.content)
    answer = served.ask(f"Range: {asked.format(size=size)}")
    assert answer.status == 416
    assert answer.head.startswith(b"HTTP/1.1 416 Range Not Satisfiable\r\n")
    assert answer.fields["content-range"] == f"bytes */{size}"
    assert len(answer.content) == int(answer.fields["content-length"])


def test_two_fields_are_one_list(served: Served) -> None:
    # RFC 9110 section 5.3; the second one names its unit again, which no list does.
    assert served.ask("Range: bytes=0-1", "Range: bytes=4-5").status == 200
    assert served.ask("Range: bytes=0-1", "Range: 4-5").status == 206


@pytest.mark.parametrize(("asked", "status"), [("bytes=0-", 200), ("bytes=0-0", 200), ("bytes=-1", 200),
                                               ("bytes=1-", 416), ("bytes=-0", 416)])  # fmt: skip
def test_an_empty_file_has_a_beginning_and_no_more(start: Start, tmp_path: Path, asked: str, status: int) -> None:
    answer = serve(start, tmp_path, 0).ask(f"Range: {asked}")
    assert answer.status == status
    assert answer.fields.get("content-range") == ("bytes */0" if status == 416 else None)


@pytest.mark.parametrize("asked", ["0-0", "0-", "-1", "-5", "0-5"])
def test_a_file_of_one_byte_has_that(start: Start, tmp_path: Path, asked: str) -> None:
    answer = serve(start, tmp_path, 1).ask(f"Range: bytes={asked}")
    assert (answer.status, answer.content, answer.fields["content-range"]) == (206, b"\0", "bytes 0-0/1")


# -- several


@pytest.mark.parametrize(
    "ranges",
    [
        [(0, 0), (-1, -1)],
        [(0, 9), (-10, -1), (10, 19)],
        [(500, 600), (601, 999)],
        [(20, 29), (0, 9)],
        [(at, at) for at in range(0, 160, 10)],
    ],
)
def test_several_parts_are_sent_in_the_order_asked_for(served: Served, ranges: list[tuple[int, int]]) -> None:
    size = len(served.content)
    ranges = [(first % size, last % size) for first, last in ranges]
    answer = served.ask("Range: bytes=" + ", ".join(f"{first}-{last}" for first, last in ranges))
    assert answer.status == 206
    assert "content-range" not in answer.fields  # each part has its own
    assert int(answer.fields["content-length"]) == len(answer.content)
    boundary = re.fullmatch(r"multipart/byteranges; boundary=([0-9a-f]{32})", answer.fields["content-type"])
    assert boundary
    assert parts(answer) == [("text/plain", f"bytes {first}-{last}/{size}") for first, last in ranges]
    # Byte by byte, which `email` is not made for.
    pieces = answer.content.split(b"--" + boundary[1].encode())
    assert (pieces[0], pieces[-1]) == (b"\r\n", b"--\r\n")
    for piece, (first, last) in zip(pieces[1:-1], ranges, strict=True):
        assert piece.partition(b"\r\n\r\n")[2] == served.content[first : last + 1] + b"\r\n"


def test_a_boundary_is_never_the_same(served: Served) -> None:
    assert len({served.ask("Range: bytes=0-0,2-2").fields["content-type"] for _ in range(3)}) == 3


def test_large_parts_of_a_large_file(start: Start, tmp_path: Path) -> None:
    served = serve(start, tmp_path, 8_000_000)
    answer = served.ask("Range: bytes=4000000-7999999,0-2999999")
    assert int(answer.fields["content-length"]) == len(answer.content)
    later, earlier = (piece.partition(b"\r\n\r\n")[2] for piece in re.split(rb"--[0-9a-f]{32}", answer.content)[1:-1])
    assert later == served.content[4_000_000:] + b"\r\n"
    assert earlier == served.content[:3_000_000] + b"\r\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which files are open")
def test_the_parts_of_one_answer_have_the_file_open_once(start: Start, tmp_path: Path) -> None:
    served = serve(start, tmp_path, 30_000_000)
    with Client(served.running) as client:
        client.send(request("/a.txt", "Range: bytes=" + ",".join(f"{at}0000000-{at}9999998" for at in range(3))))
        length = int(client.head().fields["content-length"])
        assert opened(served.path) == 1
        while length:
            length -= len(client.stream.read(min(length, 1 << 20)))
        eventually(lambda: not opened(served.path), "the file is still open")


@pytest.mark.parametrize("asked", ["bytes=999999999-", "bytes=0-0", "bytes=0-0,2-2"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_file_is_left_open(served: Served, asked: str, method: str) -> None:
    served.ask(f"Range: {asked}", method=method)
    eventually(lambda: not opened(served.path), "the file is still open")


# -- If-Range, and the other conditions


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("{etag}", 206),
        ("W/{etag}", 200),
        ('"other"', 200),
        ('"other", {etag}', 200),
        ("*", 200),
        ("nonsense", 200),
        ("", 200),
        (SAME, 206),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 206),
        (BEFORE, 200),
        (AFTER, 200),
    ],
)
@pytest.mark.parametrize("size", [1000, 200_000])
def test_the_part_is_sent_if_the_file_is_the_same_and_else_the_whole(
    start: Start, tmp_path: Path, size: int, condition: str, status: int
) -> None:
    served = serve(start, tmp_path, size, compress="off")
    etag = served.ask().fields["etag"]
    answer = served.ask("Range: bytes=5-9", f"If-Range: {condition.format(etag=etag)}")
    assert answer.status == status
    assert answer.content == (served.content[5:10] if status == 206 else served.content)


def test_a_part_beyond_the_end_of_what_has_changed_is_the_whole(served: Served) -> None:
    assert served.ask("Range: bytes=99999999-", 'If-Range: "other"').status == 200


def test_the_date_of_a_file_that_has_just_changed_is_not_relied_on(served: Served) -> None:
    os.utime(served.path, (2**32, 2**32))  # as good as now: it is not a second ago
    assert served.ask("Range: bytes=0-0", f"If-Range: {format_date(2**32)}").status == 200
    assert served.ask("Range: bytes=0-0", f"If-Range: {served.ask().fields['etag']}").status == 206


def test_if_range_alone_means_nothing(served: Served) -> None:
    assert served.ask('If-Range: "other"').status == 200


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["If-None-Match: {etag}"], 304),
        (["If-None-Match: *"], 304),
        ([f"If-Modified-Since: {SAME}"], 304),
        (['If-None-Match: "other"'], 206),
        ([f"If-Modified-Since: {BEFORE}"], 206),
        (["If-Match: {etag}"], 206),
        (['If-Match: "other"'], 412),
        ([f"If-Unmodified-Since: {SAME}"], 206),
        ([f"If-Unmodified-Since: {BEFORE}"], 412),
        (["If-Match: {etag}", 'If-Range: "other"'], 200),
        (["If-None-Match: {etag}", "If-Range: {etag}"], 304),
    ],
)
@pytest.mark.parametrize("asked", ["bytes=0-0", "bytes=0-0,2-2"])
def test_the_other_conditions_come_first(served: Served, lines: list[str], status: int, asked: str) -> None:
    etag = served.ask().fields["etag"]
    answer = served.ask(f"Range: {asked}", *[line.format(etag=etag) for line in lines])
    assert answer.status == status


def test_the_other_conditions_come_before_what_is_beyond_the_end(served: Served) -> None:
    assert served.ask("Range: bytes=99999999-", "If-None-Match: *").status == 304
    assert served.ask("Range: bytes=99999999-", 'If-Match: "other"').status == 412


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("If-Range: {old}", 200),
        ("If-Range: {new}", 206),
        ("If-Match: {old}", 412),
        ("If-Match: {new}", 412),  # it was not there yet when that was looked at
        ("If-None-Match: {new}", 304),
        (f"If-Unmodified-Since: {SAME}", 412),
    ],
)
def test_the_version_that_was_opened_decides(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, status: int
) -> None:
    """A file is replaced between the look at it and its opening: tag, size and part are those of one version."""
    root, following = tmp_path / "root", tmp_path / "following"
    root.mkdir()
    following.mkdir()
    served = serve(start, root, 200_000)
    old = served.ask().fields["etag"]
    (following / "a.txt").write_bytes(b"n" * 150_000)
    new = ask(start(root=str(following)), "/a.txt").fields["etag"]

    def replace(path: str) -> None:
        if path.startswith(str(root)) and following.exists():
            root.rename(tmp_path / "old")
            following.rename(root)  # which leaves the change time of the file as it is

    before_opening(monkeypatch, replace)
    answer = served.ask("Range: bytes=149999-", line.format(old=old, new=new))
    assert answer.status == status
    if status in (200, 206):
        assert answer.content == b"n" * (150_000 if status == 200 else 1)
        assert answer.fields["etag"] == new
    eventually(lambda: not opened(served.path), "the file is still open")


# -- the rest of HTTP


@pytest.mark.parametrize("asked", ["bytes=5-9", "bytes=0-0,-1", "bytes=-1", "bytes=99999999-", "lines=1-2"])
@pytest.mark.parametrize("condition", ["", "If-Range: {etag}", "If-Match: {etag}", 'If-None-Match: "other"'])
def test_head_ignores_ranges(served: Served, asked: str, condition: str) -> None:
    whole = served.ask()
    lines = [line.format(etag=whole.fields["etag"]) for line in (f"Range: {asked}", condition) if line]
    head = served.ask(*lines, method="HEAD")
    assert (head.status, head.content, {**head.fields, "date": ""}) == (200, b"", {**whole.fields, "date": ""})


@pytest.mark.parametrize(("condition", "status"), [("If-None-Match: {etag}", 304), ('If-Match: "other"', 412),
                                                   (f"If-Modified-Since: {SAME}", 304)])  # fmt: skip
def test_the_other_conditions_count_for_head_with_a_range(served: Served, condition: str, status: int) -> None:
    line = condition.format(etag=served.ask().fields["etag"])
    assert served.ask("Range: bytes=0-0", line, method="HEAD").status == status


def test_head_with_a_range_describes_the_variant_that_get_would_send(start: Start, tmp_path: Path) -> None:
    served = serve(start, tmp_path, 5000)
    sidecar = tmp_path / "a.txt.gz"
    sidecar.write_bytes(gzip.compress(served.content))
    os.utime(sidecar, (MODIFIED, MODIFIED))
    plain = served.ask().fields["etag"]
    get = served.ask("Accept-Encoding: gzip")
    assert get.fields["content-encoding"] == "gzip"
    for lines in (["Range: bytes=0-0"], ["Range: bytes=0-0", f"If-Range: {plain}"]):
        head = served.ask("Accept-Encoding: gzip", *lines, method="HEAD")
        assert (head.status, head.fields["etag"]) == (200, get.fields["etag"])


def test_the_connection_goes_on(served: Served) -> None:
    with Client(served.running) as client:
        for asked in ("bytes=0-4", "bytes=0-4,6-7", "bytes=99999999-", "nonsense", "bytes=-1") * 3:
            assert client.ask("/a.txt", f"Range: {asked}").content


def test_parts_asked_for_in_one_packet_come_in_their_order(served: Served) -> None:
    asked = ["bytes=0-4", "bytes=0-4,6-7", "bytes=5-9", "bytes=-5"]
    with Client(served.running) as client:
        client.send(b"".join(request("/a.txt", f"Range: {one}") for one in asked))
        contents = [client.response().content for _ in asked]
    assert (contents[0], contents[2], contents[3]) == (served.content[:5], served.content[5:10], served.content[-5:])


def test_an_old_client_gets_a_part_and_the_end(served: Served) -> None:
    answer = served.ask("Range: bytes=5-9", version="1.0")
    assert (answer.status, answer.content, answer.fields["connection"]) == (206, served.content[5:10], "close")


def test_ranges_are_for_reading(served: Served) -> None:
    assert served.ask("Range: bytes=0-0", method="OPTIONS").status == 204
    assert served.ask("Range: bytes=0-0", method="PUT", content=b"x").status == 405
    assert ask(served.running, "/nothing", "Range: bytes=0-0").status == 404
