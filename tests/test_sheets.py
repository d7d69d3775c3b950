"""Whole responses that are sent without being copied: they arrive as they are, and nothing is left of them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.client import PATIENCE, Client, request
from tests.console import python
from tests.running import Start
from tpserver.sheets import COUNTED, LONGEST, OFTEN, SHEETS, SHORTEST, Sheet, Sheets

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no files without a name")


def response(number: int = 0, size: int = SHORTEST) -> bytes:
    return b"%08d" % number + b"x" * (size - 8)


def descriptors() -> set[str]:
    """Those of this process, by what they are."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            link = f"/proc/self/fd/{name}"
            found.add(f"{os.readlink(link)} {os.stat(link).st_ino}")
        except OSError:
            continue
    return {one for one in found if "memfd:tpserver" in one}


def asked_often(sheets: Sheets, data: bytes) -> Sheet | None:
    for _ in range(OFTEN - 1):
        assert sheets.find(data) is None
    return sheets.find(data)


@pytest.mark.parametrize(
    ("size", "worth_it"), [(SHORTEST - 1, False), (SHORTEST, True), (LONGEST, True), (LONGEST + 1, False)]
)
def test_only_responses_of_some_size_get_a_sheet(size: int, worth_it: bool) -> None:
    assert (asked_often(Sheets(), response(size=size)) is not None) == worth_it


def test_a_sheet_is_one_and_the_same_for_a_second() -> None:
    sheets = Sheets()
    first = asked_often(sheets, response())
    assert first is not None
    assert sheets.find(response()) is first
    sheets.begin_second()
    assert sheets.find(response()) is None


def test_there_are_no_more_sheets_than_descriptors_can_be_spared() -> None:
    sheets = Sheets()
    assert [asked_often(sheets, response(number)) is not None for number in range(SHEETS + 2)] == [True] * SHEETS + [
        False
    ] * 2


def test_a_flood_of_files_is_not_kept_in_memory_for_the_counting() -> None:
    sheets = Sheets()
    for number in range(COUNTED):
        sheets.find(response(number))
    assert asked_often(sheets, response(COUNTED)) is None
    assert asked_often(sheets, response(COUNTED + 1)) is None


def test_descriptors_are_gone_with_their_second() -> None:
    before = descriptors()
    sheets = Sheets()
    for number in range(SHEETS):
        asked_often(sheets, response(number))
    assert len(descriptors() - before) == SHEETS
    sheets.begin_second()
    assert descriptors() <= before


def test_the_socket_gets_what_it_takes() -> None:
    data = bytes(range(256)) * 512
    sheet = Sheet(data)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        sent = sheet.send(ours, data)
        assert 0 < sent <= len(data)
        theirs.settimeout(PATIENCE)
        came = b""
        while len(came) < sent:
            came += theirs.recv(65536)
        assert came == data[:sent]


def test_a_descriptor_that_an_application_closed_is_not_sent_from(tmp_path: Path) -> None:
    sheets = Sheets()
    sheet = asked_often(sheets, response())
    assert sheet is not None
    number = sheet._file
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * SHORTEST)
    stolen = os.open(secret, os.O_RDONLY)
    os.dup2(stolen, number)  # closed, and another file has its number
    try:
        assert sheets.find(response()) is not sheet
        del sheet
        os.fstat(number)  # nor closed: it is somebody else's
    finally:
        os.close(stolen)
        os.close(number)


def test_what_lies_under_a_stolen_number_is_not_sent(tmp_path: Path) -> None:
    sheet = Sheet(response())
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * SHORTEST)
    number = sheet._file
    with secret.open("rb") as stolen:
        os.dup2(stolen.fileno(), number)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        try:
            assert sheet.send(ours, response()) == SHORTEST
        finally:
            os.close(number)
        ours.close()
        with theirs.makefile("rb") as stream:
            assert stream.read() == response()


LOOKS = """
from tpserver import cli, run, serve
run.Server.serve_forever = lambda server: print("looks" if server.protocol.sheets.guarded else "trusts")
{start}
"""


@pytest.mark.parametrize(
    ("start", "answer"),
    [
        ("cli.main(['--port', '0', '--root', '.'])", "trusts"),
        ("cli.main(['--port', '0', '--root', '.', 'wsgiref.simple_server:demo_app'])", "looks"),
        ("cli.main(['--port', '0', '--vhost', 'a=wsgiref.simple_server:demo_app'])", "looks"),
        ("serve(root='.', port=0)", "looks"),
    ],
)
def test_descriptors_are_trusted_only_where_nobody_else_runs(tmp_path: Path, start: str, answer: str) -> None:
    (tmp_path / "script.py").write_text(LOOKS.format(start=start), "utf-8")
    with python("script.py", cwd=tmp_path) as console:
        ended = console.end()
    assert ended.status == 0
    assert answer in ended.stdout.split()


def test_where_there_is_no_descriptor_left_it_is_sent_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(name: str) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("tpserver.sheets._memfd_create", no_more)
    sheets = Sheets()
    assert asked_often(sheets, response()) is None
    monkeypatch.undo()
    assert sheets.find(response()) is None, "it is not tried again within the second"
    sheets.begin_second()
    assert asked_often(sheets, response()) is not None


@pytest.mark.parametrize("size", [10 * 1024, 100 * 1024])
def test_a_file_that_is_asked_for_all_the_time_arrives_as_it_is(start: Start, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file.bin").write_bytes(content)
    os.utime(tmp_path / "file.bin", (1e9, 1e9))
    running = start(root=str(tmp_path))
    sheets = running.server.protocol.sheets
    used = 0
    with Client(running) as client:
        for _ in range(10 * OFTEN):
            response = client.ask("/file.bin")
            assert (response.status, response.content == content) == (200, True)
            used += bool(sheets._sheets)
    assert used, "none was sent from a sheet"


def test_an_edit_shows_although_a_sheet_has_the_file(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    file.write_bytes(b"old" * 4096)
    os.utime(file, (1e9, 1e9))
    running = start(root=str(tmp_path))
    with Client(running) as client:
        for _ in range(2 * OFTEN):
            assert client.ask("/file.txt").content == b"old" * 4096
        file.write_bytes(b"new" * 4096)
        assert client.ask("/file.txt").content == b"new" * 4096


def test_who_reads_slowly_gets_every_byte_of_a_sheet(start: Start, tmp_path: Path) -> None:
    content = os.urandom(120 * 1024)
    (tmp_path / "file.bin").write_bytes(content)
    os.utime(tmp_path / "file.bin", (1e9, 1e9))
    running = start(root=str(tmp_path))
    with Client(running, receive_buffer=4096) as client:
        client.send(request("/file.bin") * 3 * OFTEN)
        for _ in range(3 * OFTEN):
            response = client.response()
            assert (response.status, response.content == content) == (200, True)
