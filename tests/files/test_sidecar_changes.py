"""Coded files that come, change and go, and what the server remembers of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.files.choosing import Chooser, write
from tests.files.sidecars import GZIP, TEXT, leave_only
from tests.rounds import rounds
from tpserver.files import variants
from tpserver.system.clock import clock

SECOND = 1_000_000_000

pytestmark = pytest.mark.usefixtures("settled")


def test_a_new_sidecar_is_seen_within_a_second(site: Path) -> None:
    leave_only(site, "app.js.gz")
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
    monkeypatch.setattr(clock, "time", lambda: now[0])
    for name in ("app.js", "app.js.gz"):
        os.utime(site / name, (now[0] + 1, now[0] + 1))
    chooser = Chooser(site)
    assert b"Last-Modified" not in chooser.ask("/app.js", "gzip").lines
    now[0] += 1
    file = chooser.ask("/app.js", "gzip")
    assert file.coding == "gzip"
    assert b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in file.lines


def test_fields_of_every_kind_do_not_fill_the_memory(site: Path) -> None:
    chooser = Chooser(site)
    for number in range(rounds(2000)):
        chooser.ask("/app.js", f"gzip;q=0.{number % 1000:03}, x{number}")
        chooser.ask("/app.js", "gzip, " + "x" * 300 + str(number))
    index = chooser.plain("/app.js").variant_index
    assert index is not None
    assert len(index.chosen) < 10
    assert variants._known_tiers.cache_info().currsize <= 256
