"""The wall clock goes back and forth, as when it is set; what the server measures by is another one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests import inside
from tests.client import CLOSE, Client, exchange, request
from tests.failures.limited import get
from tests.running import Start
from tpserver.system.clock import clock

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
    assert exchange(running, get("/app")).endswith(b"none")
    with Client(running) as idle, Client(running) as half, Client(running) as client:
        half.send(request("/", CLOSE, "Content-Length: 10", method="POST") + b"half ")
        client.ask("/app")  # else the turn in which it is accepted may have its first request
        for moment in JUMPS:
            monkeypatch.setattr(clock, "time", lambda moment=moment: moment)
            inside.check_deadlines_soon(running.server)
            for target, content in (("/a.txt", b"a file"), ("/app", b"none")):
                response = client.ask(target)
                assert (response.status, response.content) == (200, content)
                assert response.fields["date"] == time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(moment))
        half.send(b"there")
        assert half.response().content == b"half there"
        assert idle.ask("/app", CLOSE).content == b"none"
    monkeypatch.undo()
    running.stop()
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 2 * len(JUMPS) + 4


@pytest.mark.parametrize("moment", [-1.0, -1e9, 253402300800.0, 1e12])
def test_a_moment_that_no_calendar_has_stops_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: float
) -> None:
    running = start(app, access_log=str(tmp_path / "log.txt"))
    assert exchange(running, get("/")).endswith(b"none")
    monkeypatch.setattr(clock, "time", lambda: moment)
    for _ in range(3):
        assert exchange(running, get("/")).endswith(b"none")
    monkeypatch.undo()
    assert exchange(running, get("/")).endswith(b"none")
    running.stop()
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 5
