"""Coded files beside the plain ones: which of them a client gets, and when not."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from static_client import Start, ask, link
from variants_client import BROWSER, Chooser, write

from tpserver.files import file as file_module
from tpserver.files import folder
from tpserver.files.variants import is_current, may_hold

TEXT = b"let x = 'a text that is worth it';\n" * 100
GZIP = gzip.compress(TEXT, mtime=0)
ZSTD = b"\x28\xb5\x2f\xfdz"
SECOND = 1_000_000_000


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a file and three sidecars, which hold something else, to be told apart."""
    plain = write(tmp_path / "app.js", TEXT)
    for extension, content in ((".gz", GZIP), (".br", b"br"), (".zst", ZSTD)):
        write(tmp_path / f"app.js{extension}", content, like=plain)
    return tmp_path


def sidecars(root: Path, *names: str) -> None:
    """Leaves only these."""
    for extension in (".gz", ".br", ".zst"):
        if f"app.js{extension}" not in names:
            (root / f"app.js{extension}").unlink()


# -- as a client sees it


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has just been written is taken for old: it will not change again without another time."""
    monkeypatch.setattr(folder, "_MTIME_STEP_NS", 0)


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
    # Whoever has begun with the plain file goes on with that, and with nothing else.
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


def test_a_sidecar_asked_for_by_its_own_name_is_a_file(start: Start, site: Path) -> None:
    running = start(root=site)
    for _ in range(2):
        answer = ask(running, "/app.js.gz", f"Accept-Encoding: {BROWSER}")
        assert answer.fields["content-type"] == "application/gzip"
        assert not {"content-encoding", "vary"} & set(answer.fields)
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
    sidecars(site, "app.js.gz")
    write(site / "app.js.gz", GZIP[:2] + b"x" * (len(TEXT) - 6) + GZIP[-4:], like=site / "app.js")
    assert Chooser(site).coding("/app.js") == ""


def test_an_empty_sidecar_is_not_used(site: Path) -> None:
    sidecars(site, "app.js.gz")
    write(site / "app.js.gz", b"", like=site / "app.js")
    assert Chooser(site).coding("/app.js") == ""


def test_a_sidecar_that_is_older_than_its_file_is_not_used(site: Path) -> None:
    sidecars(site, "app.js.gz")
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


# -- changes


def test_a_new_sidecar_is_seen_within_a_second(site: Path) -> None:
    sidecars(site, "app.js.gz")
    chooser = Chooser(site)
    assert chooser.coding("/app.js") == "gzip"
    write(site / "app.js.br", b"br", like=site / "app.js")
    chooser.next_second()
    assert chooser.coding("/app.js") == "br"


def test_a_removed_sidecar_is_missed_at_once(site: Path) -> None:
    chooser = Chooser(site)
    assert chooser.coding("/app.js") == "br"
    (site / "app.js.br").unlink()
    assert chooser.coding("/app.js", "br") == ""
    assert chooser.coding("/app.js") == "zstd"


def test_a_rewritten_sidecar_is_seen_at_once(site: Path) -> None:
    chooser = Chooser(site)
    before = chooser.ask("/app.js", "gzip")
    other = GZIP[:-8] + b"!" + GZIP[-8:]
    write(site / "app.js.gz", other, like=site / "app.js")
    after = chooser.ask("/app.js", "gzip")
    assert (before.content, after.content) == (GZIP, other)
    assert before.validators.etag != after.validators.etag


def test_an_edit_of_the_file_is_seen_at_once(site: Path) -> None:
    chooser = Chooser(site)
    assert chooser.coding("/app.js") == "br"
    later = write(site / "app.js", TEXT + b"more").stat().st_mtime_ns + SECOND
    os.utime(site / "app.js", ns=(later, later))
    file = chooser.ask("/app.js")
    assert (file.coding, file.content) == ("", TEXT + b"more")


def test_what_was_made_of_a_sidecar_is_made_once(site: Path) -> None:
    chooser = Chooser(site)
    first = chooser.ask("/app.js")
    chooser.next_second()
    assert chooser.ask("/app.js") is first


def test_a_file_with_sidecars_is_looked_at_seldom(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chooser = Chooser(site)
    chooser.ask("/app.js", "gzip")
    looks: list[object] = []

    def counted(name: str) -> object:
        real = getattr(os, name)

        def call(*how: object, **more: object) -> object:
            looks.append(how)
            return real(*how, **more)

        return call

    for name in ("stat", "access", "open"):
        monkeypatch.setattr(os, name, counted(name))
    chooser.ask("/app.js", "gzip")
    assert len(looks) == 2  # the file, and the one sidecar that is used
    looks.clear()
    chooser.ask("/app.js", "")
    assert len(looks) == 1


def test_a_date_in_the_future_is_told_when_its_time_has_come(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [784111776.0]
    monkeypatch.setattr(file_module, "time", SimpleNamespace(time=lambda: now[0]))
    for name in ("app.js", "app.js.gz"):
        os.utime(site / name, (now[0] + 1, now[0] + 1))
    chooser = Chooser(site)
    assert b"Last-Modified" not in chooser.ask("/app.js", "gzip").lines
    now[0] += 1
    file = chooser.ask("/app.js", "gzip")
    assert file.coding == "gzip"
    assert b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in file.lines


# -- what is no sidecar


@pytest.mark.parametrize(
    ("coding", "first", "last", "length", "expected"),
    [
        ("gzip", b"\x1f\x8b\x08\x00", b"\x05\0\0\0", 5, True),
        ("gzip", b"\x1f\x8b\x08\x00", b"\x05\0\0\0", 2**32 + 5, True),
        ("gzip", b"\x1f\x8b\x08\x00", b"\x05\0\0\0", 6, False),
        ("gzip", b"\x1f\x8b\x08\x00", b"\0\0\0\x05", 5, False),
        ("gzip", b"let ", b"\x05\0\0\0", 5, False),
        ("gzip", b"\x1f", b"\x1f", 31, False),
        ("zstd", b"\x28\xb5\x2f\xfd", b"????", 5, True),
        ("zstd", b"\x28\xb5\x2f", b"????", 5, False),
        ("zstd", b"\x1f\x8b\x08\x00", b"????", 5, False),
        ("br", b"????", b"????", 5, True),
    ],
)
def test_what_a_sidecar_begins_and_ends_with(
    coding: str, first: bytes, last: bytes, length: int, expected: bool
) -> None:
    assert may_hold(coding, first, last, length) is expected


@pytest.mark.parametrize("kept", ["in memory", "on disk"])
@pytest.mark.parametrize(("extension", "coding"), [(".gz", "gzip"), (".zst", "zstd")], ids=["gzip", "zstd"])
def test_what_is_not_coded_is_not_sent_as_if_it_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: str, extension: str, coding: str
) -> None:
    text = b"x" * (3_000 if kept == "in memory" else 300_000)
    plain = write(tmp_path / "app.js", text)
    write(tmp_path / f"app.js{extension}", text[:-10], like=plain)  # copied, and cut off
    chooser = Chooser(tmp_path)
    for _ in range(3):
        file = chooser.ask("/app.js")
        assert (file.coding, file.varies) == ("", False)
        chooser.next_second()
    write(tmp_path / f"app.js{extension}", text[:-20], like=plain)
    assert chooser.coding("/app.js") == ""
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"app.js{extension}" in caplog.text


def test_a_gzip_file_of_another_version_is_not_used(site: Path) -> None:
    sidecars(site, "app.js.gz")
    write(site / "app.js.gz", gzip.compress(TEXT + b"more"), like=site / "app.js")
    assert Chooser(site).coding("/app.js") == ""


def test_a_large_gzip_file_is_looked_at_on_the_disk(tmp_path: Path) -> None:
    text = os.urandom(200_000) + bytes(200_000)
    plain = write(tmp_path / "level.data", text)
    coded = gzip.compress(text)
    write(tmp_path / "level.data.gz", coded, like=plain)
    file = Chooser(tmp_path).ask("/level.data")
    assert (file.coding, file.content, file.size) == ("gzip", None, len(coded))


def test_what_was_no_sidecar_is_one_when_it_is_written_anew(site: Path) -> None:
    sidecars(site, "app.js.gz")
    write(site / "app.js.gz", b"none", like=site / "app.js")
    chooser = Chooser(site)
    assert chooser.coding("/app.js") == ""
    write(site / "app.js.gz", GZIP, like=site / "app.js")
    chooser.next_second()
    assert chooser.coding("/app.js") == "gzip"


def test_a_sidecar_that_leads_out_of_the_folder_is_not_used(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    plain = write(root / "app.js", TEXT)
    write(tmp_path / "secret", GZIP, like=plain)
    link(root / "app.js.gz", "../secret")
    assert Chooser(root).ask("/app.js").content == TEXT


def test_a_sidecar_that_is_a_link_within_the_folder_is_used(site: Path) -> None:
    sidecars(site, "app.js.gz")
    (site / "app.js.gz").rename(site / "elsewhere")
    link(site / "app.js.gz", "elsewhere")
    assert Chooser(site).ask("/app.js").content == GZIP


def test_a_folder_is_no_sidecar(site: Path) -> None:
    sidecars(site)
    (site / "app.js.gz").mkdir()
    write(site / "app.js.gz" / "index.html", GZIP, like=site / "app.js")
    assert Chooser(site).ask("/app.js").content == TEXT


def test_a_page_that_is_found_without_its_extension_is_no_sidecar(site: Path) -> None:
    sidecars(site)
    (site / "app.js.gz").mkdir()
    write(site / "app.js.gz.html", GZIP, like=site / "app.js")
    assert Chooser(site, try_html=True).ask("/app.js").content == TEXT


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_no_sidecar(site: Path) -> None:
    sidecars(site)
    os.mkfifo(site / "app.js.gz")
    assert Chooser(site).ask("/app.js").content == TEXT


# -- what is remembered


def test_fields_of_every_kind_do_not_fill_the_memory(site: Path) -> None:
    chooser = Chooser(site)
    for number in range(2000):
        chooser.ask("/app.js", f"gzip;q=0.{number % 1000:03}, x{number}")
        chooser.ask("/app.js", "gzip, " + "x" * 300 + str(number))
    assert len(chooser.variants._accepted) <= 256
    assert max(map(len, chooser.variants._accepted)) <= 256
    assert len(chooser.variants._known) < 10
