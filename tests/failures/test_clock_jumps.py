"""The wall clock goes back and forth, as when it is set; what the server measures by is another one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.failures.limited import get
from tests.running import Running, read_response

Start = Callable[..., Running]

YEAR = 365 * 86400
# Seconds since the epoch: a machine without a battery begins at 0, and a wrong setting may be anywhere.
JUMPS = [1.7e9, 1.7e9 - 30 * YEAR, 1.7e9 + 30 * YEAR, 0.0, 2.0**31 - 1, 2.0**31, 4.2e9, 1.7e9 + 3600, 1.7e9 - 3600, 1.0]


def app(environ, start_response):  # type: ignore[no-untyped-def]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read() or b"none"]


def test_connections_are_kept_and_dates_are_those_of_the_moment(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("a file")
    running = start(app, root=str(tmp_path), access_log=str(tmp_path / "log.txt"))
    assert running.exchange(get("/app")).endswith(b"none")
    with running.connect() as idle, running.connect() as half, running.connect() as sock, sock.makefile("rb") as stream:
        half.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf ")
        for moment in JUMPS:
            monkeypatch.setattr(time, "time", lambda moment=moment: moment)
            running.server.leader.sweep_soon()
            for target, content in (("/a.txt", b"a file"), ("/app", b"none")):
                sock.sendall(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                status, fields, body = read_response(stream)
                assert (status, body) == (200, content)
                assert fields["date"] == time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(moment))
        half.sendall(b"there")
        with half.makefile("rb") as rest:
            assert read_response(rest)[2] == b"half there"
        idle.sendall(get("/app"))
        with idle.makefile("rb") as rest:
            assert read_response(rest)[2] == b"none"
    monkeypatch.undo()
    running.stop()
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 2 * len(JUMPS) + 3


@pytest.mark.parametrize("moment", [-1.0, -1e9, 253402300800.0, 1e12])
def test_a_moment_that_no_calendar_has_stops_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: float
) -> None:
    running = start(app, access_log=str(tmp_path / "log.txt"))
    assert running.exchange(get("/")).endswith(b"none")
    monkeypatch.setattr(time, "time", lambda: moment)
    for _ in range(3):
        assert running.exchange(get("/")).endswith(b"none")
    monkeypatch.undo()
    assert running.exchange(get("/")).endswith(b"none")
    running.stop()
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 5
