"""Coded files beside the plain ones: which of them a client gets, and when not."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.client import ask
from tests.files.choosing import BROWSER, Chooser, write
from tests.files.sidecars import GZIP, TEXT, ZSTD, leave_only
from tests.running import Start
from tpserver.files.variants import is_current

SECOND = 1_000_000_000
pytestmark = pytest.mark.usefixtures("settled")


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, br;q=0, zstd;q=0.9", "gzip"),
        ("gzip;q=0.5, zstd", "zstd"),
        ("*", "br"),
        ("identity;q=0, gzip", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("deflate", None),
        ("", None),
    ],
)
def test_the_client_gets_the_coding_it_likes_best(
    start: Start, site: Path, accept_encoding: str, coding: str | None
) -> None:
    content = {"gzip": GZIP, "br": b"br", "zstd": ZSTD, None: TEXT}[coding]
    answer = ask(start(root=site), "/app.js", f"Accept-Encoding: {accept_encoding}")
    assert answer.status == 200
    assert answer.fields.get("content-encoding") == coding
    assert answer.fields["content-type"] == "text/javascript; charset=utf-8"
    assert answer.fields["content-length"] == str(len(content))
    assert answer.fields["vary"] == "Accept-Encoding"
    assert answer.content == content


def test_a_client_that_does_not_ask_gets_the_file_and_hears_that_there_are_others(start: Start, site: Path) -> None:
    answer = ask(start(root=site), "/app.js")
    assert "content-encoding" not in answer.fields
    assert answer.fields["vary"] == "Accept-Encoding"
    assert answer.content == TEXT


def test_who_refuses_every_coding_there_is_gets_the_file(start: Start, site: Path) -> None:
    answer = ask(start(root=site, compress="sidecars"), "/app.js", "Accept-Encoding: *;q=0")
    assert (answer.status, answer.content) == (200, TEXT)


def test_each_coding_has_its_own_validator(start: Start, site: Path) -> None:
    running = start(root=site)
    tags = {ask(running, "/app.js", f"Accept-Encoding: {one}").fields["etag"] for one in ("gzip", "br", "zstd", "")}
    assert len(tags) == 4
    assert not any(tag.startswith("W/") for tag in tags)


def test_a_validator_of_a_coding_is_good_for_that_coding_alone(start: Start, site: Path) -> None:
    running = start(root=site)
    tag = ask(running, "/app.js", "Accept-Encoding: gzip").fields["etag"]
    same = ask(running, "/app.js", "Accept-Encoding: gzip", f"If-None-Match: {tag}")
    assert (same.status, same.fields["etag"], same.fields["vary"]) == (304, tag, "Accept-Encoding")
    assert ask(running, "/app.js", f"If-None-Match: {tag}").status == 200
    assert ask(running, "/app.js", "Accept-Encoding: br", f"If-None-Match: {tag}").status == 200
    plain = ask(running, "/app.js").fields["etag"]
    unmodified = ask(running, "/app.js", f"If-None-Match: {plain}")
    assert (unmodified.status, unmodified.fields["vary"]) == (304, "Accept-Encoding")


@pytest.mark.parametrize(
    ("condition", "status", "content"),
    [
        ("If-None-Match: {tag}", 304, b""),
        ('If-None-Match: "other", {tag}', 304, b""),
        ("If-Match: {tag}", 200, GZIP),
        ("Range: bytes=1-2|If-Range: {tag}", 206, GZIP[1:3]),
    ],
)
def test_who_has_one_coding_goes_on_with_it_though_another_is_better(
    start: Start, site: Path, condition: str, status: int, content: bytes
) -> None:
    running = start(root=site)
    tag = ask(running, "/app.js", "Accept-Encoding: gzip").fields["etag"]
    lines = condition.format(tag=tag).split("|")
    answer = ask(running, "/app.js", "Accept-Encoding: gzip, br", *lines)
    assert (answer.status, answer.content, answer.fields["etag"]) == (status, content, tag)
    assert ask(running, "/app.js", "Accept-Encoding: gzip, br").content == b"br"
    assert ask(running, "/app.js", "Accept-Encoding: gzip;q=0, br", *lines).fields.get("etag") != tag


def test_head_tells_what_get_would(start: Start, site: Path) -> None:
    running = start(root=site)
    head = ask(running, "/app.js", "Accept-Encoding: gzip", method="HEAD")
    get = ask(running, "/app.js", "Accept-Encoding: gzip")
    assert head.content == b""
    for name in ("content-encoding", "content-length", "etag", "vary", "content-type", "last-modified"):
        assert head.fields[name] == get.fields[name]


def test_a_range_is_one_of_the_coded_content(start: Start, site: Path) -> None:
    running = start(root=site)
    tag = ask(running, "/app.js", "Accept-Encoding: gzip").fields["etag"]
    asked = ("Accept-Encoding: gzip", "Range: bytes=1-2")
    answer = ask(running, "/app.js", *asked, f"If-Range: {tag}")
    assert (answer.status, answer.content) == (206, GZIP[1:3])
    assert answer.fields["content-range"] == f"bytes 1-2/{len(GZIP)}"
    assert (answer.fields["content-encoding"], answer.fields["etag"]) == ("gzip", tag)
    plain = ask(running, "/app.js").fields["etag"]
    # A client that has begun with the plain file goes on with that, and with nothing else.
    rest = ask(running, "/app.js", *asked, f"If-Range: {plain}")
    assert (rest.status, rest.content, rest.fields.get("content-encoding")) == (206, TEXT[1:3], None)
    assert ask(running, "/app.js", "Range: bytes=0-2").content == TEXT[:3]


def test_a_large_sidecar_is_sent_from_the_disk(start: Start, tmp_path: Path) -> None:
    plain = write(tmp_path / "data.json", b"x" * 300_000)
    coded = os.urandom(200_000)
    write(tmp_path / "data.json.br", coded, like=plain)
    running = start(root=tmp_path)
    answer = ask(running, "/data.json", "Accept-Encoding: br")
    assert (answer.fields["content-encoding"], answer.content) == ("br", coded)
    part = ask(running, "/data.json", "Accept-Encoding: br", "Range: bytes=199990-")
    assert (part.status, part.content, part.fields["content-encoding"]) == (206, coded[-10:], "br")


def test_the_index_of_a_folder_has_its_own(start: Start, tmp_path: Path) -> None:
    plain = write(tmp_path / "index.html", TEXT)
    write(tmp_path / "index.html.gz", gzip.compress(TEXT), like=plain)
    answer = ask(start(root=tmp_path), "/", "Accept-Encoding: gzip")
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert gzip.decompress(answer.content) == TEXT


def test_a_sidecar_asked_for_by_its_own_name_says_what_it_is(start: Start, site: Path) -> None:
    running = start(root=site)
    for _ in range(2):
        answer = ask(running, "/app.js.gz", f"Accept-Encoding: {BROWSER}")
        assert (answer.fields["content-type"], answer.fields["content-encoding"]) == ("text/javascript", "gzip")
        assert "vary" not in answer.fields
        assert answer.content == GZIP
        ask(running, "/app.js", "Accept-Encoding: gzip")


def test_off_means_that_nothing_is_coded(start: Start, site: Path) -> None:
    answer = ask(start(root=site, compress="off"), "/app.js", f"Accept-Encoding: {BROWSER}")
    assert not {"content-encoding", "vary"} & set(answer.fields)
    assert answer.content == TEXT


@pytest.mark.parametrize(
    "name", ["ein blatt.js", "100%.js", "a#b?c.js" if os.name != "nt" else "a#b.js", "\u65e5\u672c.js"]
)
def test_names_of_every_kind_have_sidecars(tmp_path: Path, name: str) -> None:
    plain = write(tmp_path / name, TEXT)
    write(tmp_path / (name + ".gz"), GZIP, like=plain)
    assert Chooser(tmp_path).coding("/" + name.encode().decode("latin-1")) == "gzip"


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_no_text_has_a_sidecar(tmp_path: Path) -> None:
    try:
        plain = write(tmp_path / os.fsdecode(b"caf\xe9.js"), TEXT)
    except OSError:
        pytest.skip("this file system has no such names")
    write(tmp_path / os.fsdecode(b"caf\xe9.js.gz"), GZIP, like=plain)
    assert Chooser(tmp_path).coding("/caf\xe9.js") == "gzip"


# -- which one, and whether


def test_of_equal_quality_the_smallest_is_taken(site: Path) -> None:
    write(site / "app.js.br", b"x" * (len(GZIP) + 1), like=site / "app.js")
    assert Chooser(site).coding("/app.js", "br, gzip") == "gzip"


def test_a_sidecar_that_is_no_smaller_is_not_used(site: Path) -> None:
    leave_only(site, "app.js.gz")
    write(site / "app.js.gz", GZIP[:2] + b"x" * (len(TEXT) - 6) + GZIP[-4:], like=site / "app.js")
    assert Chooser(site).coding("/app.js") == ""


def test_an_empty_sidecar_is_not_used(site: Path) -> None:
    leave_only(site, "app.js.gz")
    write(site / "app.js.gz", b"", like=site / "app.js")
    assert Chooser(site).coding("/app.js") == ""


def test_a_sidecar_that_is_older_than_its_file_is_not_used(site: Path) -> None:
    leave_only(site, "app.js.gz")
    write(site / "app.js.gz", GZIP, like=site / "app.js", older=1)
    file = Chooser(site).ask("/app.js")
    assert (file.coding, file.varies) == ("", False)


@pytest.mark.parametrize(
    ("plain", "sidecar", "current"),
    [
        (5 * SECOND, 5 * SECOND, True),
        (5 * SECOND, 6 * SECOND, True),
        (5 * SECOND, 4 * SECOND, False),
        (5 * SECOND + 7, 5 * SECOND + 7, True),
        (5 * SECOND + 7, 5 * SECOND + 8, True),
        (5 * SECOND + 7, 5 * SECOND + 6, False),
        # Written by a program that keeps no fractions: the same second will do, and no other.
        (5 * SECOND + 7, 5 * SECOND, True),
        (5 * SECOND + 7, 4 * SECOND, False),
    ],
)
def test_which_sidecars_are_current(plain: int, sidecar: int, current: bool) -> None:
    assert is_current((plain, 0, 0, 0, 0), (sidecar, 0, 0, 0, 0)) is current


def test_a_kind_of_file_that_is_compressed_by_itself_is_never_varied(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.png", TEXT)
    write(tmp_path / "a.png.gz", GZIP, like=plain)
    assert not Chooser(tmp_path).plain("/a.png").negotiable


def test_an_unknown_kind_of_file_varies_when_it_has_a_sidecar(tmp_path: Path) -> None:
    plain = write(tmp_path / "level.data", TEXT)
    chooser = Chooser(tmp_path)
    assert not chooser.ask("/level.data", None).varies
    write(tmp_path / "level.data.br", b"br", like=plain)
    chooser.next_second()
    assert b"Vary: Accept-Encoding\r\n" in chooser.ask("/level.data", None).lines
    assert chooser.coding("/level.data") == "br"
