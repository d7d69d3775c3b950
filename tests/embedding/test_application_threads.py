"""Which threads run the application: some objects belong to one thread, and databases count connections by threads."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.client import PATIENCE, request, several
from tests.console import tpserver

# One connection, made by the first request; sqlite3 refuses to use it in another thread.
SQLITE = """
import sqlite3
import threading

connection = None

def app(environ, start_response):
    global connection
    if connection is None:
        connection = sqlite3.connect(":memory:", check_same_thread=True)
        connection.execute("create table visits (path text)")
    path = environ["PATH_INFO"]
    if path == "/slow":
        threading.Event().wait(0.05)
    connection.execute("insert into visits values (?)", [path])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % threading.get_ident()]
"""

# Requests that run two at once, or not at all. (A third thread is kept from what takes long, for brief ones.)
TOGETHER = """
import threading

barrier = threading.Barrier(2, timeout=20)

def app(environ, start_response):
    if environ["PATH_INFO"] == "/together":
        barrier.wait()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % threading.get_ident()]
"""


def test_one_thread_runs_all_requests_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "visits.py").write_text(SQLITE, "utf-8")
    with tpserver("--threads", "1", "visits:app", cwd=tmp_path, env={"PYTHONWARNINGS": "ignore"}) as console:
        threads = set()
        with several(console, 6) as clients:
            for path in ("/slow", "/", "/", "/slow", "/", "/slow", "/"):
                for client in clients:
                    client.send(request(path))
                for client in clients:
                    response = client.response()
                    assert response.status == 200
                    threads.add(response.content)
        assert len(threads) == 1
        assert console.stop().stderr == ""


def test_as_many_threads_as_allowed_run_requests_where_none_runs_in_place(tmp_path: Path) -> None:
    (tmp_path / "together.py").write_text(TOGETHER, "utf-8")
    threads: list[bytes] = []
    arguments = ("--threads", "3", "--in-place", "never", "--access-log", "none", "together:app")
    with tpserver(*arguments, cwd=tmp_path) as console:

        def load(count: int) -> None:
            with several(console, 4) as clients:
                for path in ["/", "/together"] * count:
                    for client in clients:
                        client.send(request(path))
                    threads.extend(client.response().content for client in clients)

        load(5)
        loads = [threading.Thread(target=load, args=(20,)) for _ in range(4)]
        for each in loads:
            each.start()
        for each in loads:
            each.join(PATIENCE)
        assert len(threads) == (5 + 4 * 20) * 2 * 4
        assert len(set(threads)) == 3
        assert console.stop().stderr == ""
