"""A disk that is full, for real: no file may grow (RLIMIT_FSIZE), or every write fails (/dev/full)."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client import Client, exchange, salvage
from tests.failures.limited import get, limited, linux, posix, post, post_chunked
from tests.running import Start

LENGTH = """
def app(environ, start_response):
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % len(content)]
"""


@posix
@pytest.mark.parametrize("upload", [post, post_chunked], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("size", [4_250_000, 6_000_000], ids=["a little too large", "much too large"])
def test_an_upload_for_which_the_disk_has_no_room_is_a_503(
    tmp_path: Path, upload: Callable[[str, int], bytes], size: int
) -> None:
    # 128 blocks: of 512 bytes or of 1024, as the shell counts.
    with limited("-f 128", LENGTH, tmp_path, "--access-log", "none") as console:
        for _ in range(3):
            assert salvage(console, upload("/", size))[:13] == b"HTTP/1.1 503 "
            assert salvage(console, upload("/", 60_000)).endswith(b"60000")
        said = console.stop().stderr
    assert said.count("cannot store the content of a request") == 3
    assert "Traceback" not in said


@posix
def test_a_temporary_folder_that_has_gone_is_a_503(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    env = {name: str(tmp_path / "t") for name in ("TMPDIR", "TEMP", "TMP")}
    with limited("", LENGTH, tmp_path, "--access-log", "none", env=env) as console:
        assert salvage(console, post("/", 5_000_000)).endswith(b"5000000")
        (tmp_path / "t").rmdir()
        assert salvage(console, post("/", 5_000_000))[:13] == b"HTTP/1.1 503 "
        assert salvage(console, get("/")).endswith(b"0")
        (tmp_path / "t").mkdir()
        assert salvage(console, post("/", 5_000_000)).endswith(b"5000000")
        assert "cannot store the content of a request" in console.stop().stderr


@linux
def test_an_access_log_on_a_full_disk_is_said_once_and_requests_are_served(
    start: Start, log: pytest.LogCaptureFixture
) -> None:
    running = start(root=".", access_log="/dev/full")
    for _ in range(5):
        assert exchange(running, get("/none")).startswith(b"HTTP/1.1 404 ")
    running.stop()
    said = [record.getMessage() for record in log.records if "access log" in record.getMessage()]
    assert len(said) == 1
    assert "No space left on device" in said[0]


@posix
def test_an_access_log_that_may_not_grow_any_more_stops_nothing(tmp_path: Path) -> None:
    with limited("-f 8", LENGTH, tmp_path, "--access-log", "log.txt") as console:
        with Client(console) as client:
            for _ in range(200):  # some 14 KiB of lines
                client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                while client.stream.readline() != b"\r\n":
                    pass
                assert client.stream.read(1) == b"0"
        said = console.stop().stderr
    assert said.count("cannot write the access log") == 1


@linux
def test_an_application_that_writes_to_a_full_disk_is_told_and_its_client_gets_a_500(
    start: Start, log: pytest.LogCaptureFixture
) -> None:
    def app(environ, start_response):  # type: ignore[no-untyped-def]
        if environ["PATH_INFO"] == "/write":
            with io.FileIO("/dev/full", "w") as file:
                file.write(b"x")
        start_response("200 OK", [])
        return [b"fine"]

    running = start(app)
    assert exchange(running, get("/write")).startswith(b"HTTP/1.1 500 ")
    assert exchange(running, get("/")).endswith(b"fine")
    assert "No space left on device" in log.text
