"""What lies in a folder and is no file to be sent: pipes, sockets, devices, what cannot be read or is going away."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.apps import plain_app
from tests.client import Client, ask, request
from tests.files.opens import before_opening
from tests.running import Start
from tpserver.files import folder

METHODS = pytest.mark.parametrize("method", ["GET", "HEAD"])


def check_not_there(start: Start, root: Path | str, target: str, method: str) -> None:
    answer = ask(start(root=str(root)), target, method=method)
    assert answer.status == 404
    assert ask(start(plain_app, root=str(root)), target, method=method).fields["x-by"] == "application"


@METHODS
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes in a folder here")
def test_a_named_pipe_is_404_and_no_thread_waits_for_a_writer(start: Start, tmp_path: Path, method: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "sub").mkdir()
    os.mkfifo(tmp_path / "sub" / "index.html")
    for target in ("/pipe", "/sub/", "/sub"):
        check_not_there(start, tmp_path, target, method)


@METHODS
@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no sockets in a folder here")
def test_a_socket_is_404(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.chdir(tmp_path)  # the address of a socket has to be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        listening.listen()
        check_not_there(start, tmp_path, "/socket", method)


@METHODS
@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there are no devices in a folder here")
@pytest.mark.parametrize("target", ["/zero", "/null", "/tty"])
def test_a_device_is_404(start: Start, target: str, method: str) -> None:
    check_not_there(start, "/dev", target, method)


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_file_that_may_not_be_read_is_404(start: Start, tmp_path: Path, size: int) -> None:
    path = tmp_path / "private.txt"
    path.write_bytes(b"x" * size)
    running = start(root=str(tmp_path))
    assert ask(running, "/private.txt").status == 200
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("who runs this test may read every file")
    assert ask(running, "/private.txt").status == 404
    check_not_there(start, tmp_path, "/private.txt", "GET")


def test_a_folder_that_may_not_be_entered_is_404(start: Start, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    (private / "index.html").touch()
    private.chmod(0)
    try:
        if os.access(private, os.X_OK):
            pytest.skip("who runs this test may enter every folder")
        for target in ("/private", "/private/", "/private/index.html"):
            check_not_there(start, tmp_path, target, "GET")
    finally:
        private.chmod(0o700)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no file here that fails to be read")
def test_a_file_that_fails_when_it_is_read_is_404(start: Start, log: pytest.LogCaptureFixture) -> None:
    check_not_there(start, "/proc/self", "/mem", "GET")
    assert "fault" not in log.text


def test_a_file_that_cannot_be_opened_for_want_of_descriptors_is_503_and_not_404(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(folder, "_MTIME_STEP_NS", 0)
    for name, size in (("small", 10), ("known", 10), ("large", 200_000)):
        (tmp_path / name).write_bytes(b"x" * size)
    running = start(plain_app, root=str(tmp_path))
    assert ask(running, "/known").status == ask(running, "/large").status == 200
    exhausted = True

    def no_more(path: str) -> None:
        if exhausted and path.startswith(str(tmp_path)):
            raise OSError(errno.EMFILE, "Too many open files")

    before_opening(monkeypatch, no_more)
    with Client(running) as client:
        for target in ("/small", "/large"):
            client.send(request(target))
            answer = client.head()
            assert answer.status == 503
            assert answer.fields["retry-after"] == "1"
            client.stream.read(int(answer.fields["content-length"]))
        client.send(request("/known"))  # from memory
        assert client.response().content == b"x" * 10
        exhausted = False
        assert client.ask("/small").content == b"x" * 10
    assert log.text.count("cannot open a file to send it: Too many open files") == 2


def check_404_when(
    happens: Callable[[Path], None], start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens to a file between the look at it and its opening."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 200_000)
    running = start(root=str(tmp_path))
    assert ask(running, "/a.bin").status == 200

    def changed(opening: str) -> None:
        if opening.endswith("a.bin") and path.is_file():
            happens(path)

    before_opening(monkeypatch, changed)
    assert ask(running, "/a.bin").status == 404


def test_a_file_that_vanishes_between_two_looks_is_404(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_404_when(Path.unlink, start, tmp_path, monkeypatch)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let an open file become something else")
def test_a_file_that_becomes_a_folder_between_two_looks_is_404(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def becomes_a_folder(path: Path) -> None:
        path.unlink()
        path.mkdir()

    check_404_when(becomes_a_folder, start, tmp_path, monkeypatch)


def test_a_file_that_is_just_being_written_has_the_length_that_it_says(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More comes between the look at its length and the reading of it."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    running = start(root=str(tmp_path))
    looks = os.fstat

    def look_and_write(descriptor: int) -> os.stat_result:
        status = looks(descriptor)
        if status.st_size == 4:
            with path.open("ab") as stream:
                stream.write(b"two\n")
        return status

    monkeypatch.setattr(os, "fstat", look_and_write)
    for _ in range(2):
        answer = ask(running, "/a.log")
        assert answer.status == 200
        assert int(answer.fields["content-length"]) == len(answer.content)
    assert answer.content == b"one\ntwo\n"
