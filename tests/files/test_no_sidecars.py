"""What lies where a coded file would and is none, or must not be sent."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.files.choosing import Chooser, write
from tests.files.links import link
from tests.files.sidecars import GZIP, TEXT, leave_only
from tpserver.files.variants import may_hold

pytestmark = pytest.mark.usefixtures("settled")


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
        ("zstd", b"\x28\xb5\x2f\xfd\x20\x05", b"????", 5, True),  # the head of a frame tells the size
        ("zstd", b"\x28\xb5\x2f\xfd\x20\x05", b"????", 6, False),
        ("zstd", b"\x28\xb5\x2f\xfd\x60\x00\x01", b"????", 512, True),
        ("zstd", b"\x28\xb5\x2f\xfd\x60\x00\x01", b"????", 256, False),
        ("zstd", b"\x28\xb5\x2f\xfd\xa4\x10\x27\0\0", b"????", 10_000, True),
        ("zstd", b"\x28\xb5\x2f\xfd\xa4\x10\x27\0\0", b"????", 9_999, False),
        ("zstd", b"\x28\xb5\x2f\xfd\xc1\x58\x99\5\0\0\0\0\0\0\0", b"????", 5, True),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\x58", b"????", 5, True),  # it may not
        ("zstd", b"\x28\xb5\x2f\xfd\xa4\x10", b"????", 5, True),
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
    leave_only(site, "app.js.gz")
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
    leave_only(site, "app.js.gz")
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
    leave_only(site, "app.js.gz")
    (site / "app.js.gz").rename(site / "elsewhere")
    link(site / "app.js.gz", "elsewhere")
    assert Chooser(site).ask("/app.js").content == GZIP


def test_a_folder_is_no_sidecar(site: Path) -> None:
    leave_only(site)
    (site / "app.js.gz").mkdir()
    write(site / "app.js.gz" / "index.html", GZIP, like=site / "app.js")
    assert Chooser(site).ask("/app.js").content == TEXT


def test_a_page_that_is_found_without_its_extension_is_no_sidecar(site: Path) -> None:
    leave_only(site)
    (site / "app.js.gz").mkdir()
    write(site / "app.js.gz.html", GZIP, like=site / "app.js")
    assert Chooser(site, try_html=True).ask("/app.js").content == TEXT


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_no_sidecar(site: Path) -> None:
    leave_only(site)
    os.mkfifo(site / "app.js.gz")
    assert Chooser(site).ask("/app.js").content == TEXT
