"""`--stream-body`: the application reads a content while it arrives."""

from __future__ import annotations

import hashlib
import queue
import threading

import pytest

from tests.client import PATIENCE, Client, chunked, request
from tests.gates import Gates
from tests.waiting import eventually, turns, until_left
from tpserver import make_server
from tpserver.errors import UsageError


class Reading:
    """Reads as the path says, and tells the test each piece that it got."""

    def __init__(self):
        self.pieces = queue.SimpleQueue()
        self.threads = {}  # path -> name of the thread

    def __call__(self, environ, start_response):
        content = environ["wsgi.input"]
        path = environ["PATH_INFO"]
        self.threads[path] = threading.current_thread().name
        if path.endswith("/digest"):
            digest = hashlib.sha256()
            while piece := content.read(100_000):
                digest.update(piece)
            answer = digest.hexdigest().encode()
        elif path.endswith("/lines"):
            answer = b"|".join(line.rstrip(b"\n") for line in content)
        elif path.endswith("/pieces"):
            while piece := content.read(5):
                self.pieces.put(piece)
            answer = b"end"
        elif path.endswith("/ignore"):
            answer = b"ignored"
        else:
            answer = content.read()
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]

    def piece(self):
        return self.pieces.get(timeout=PATIENCE)


@pytest.fixture
def app():
    return Reading()


@pytest.fixture
def running(start, app):
    return start(app, stream_body=["/up/"], stream_chunked=True, threads=2)


def test_each_piece_can_be_read_when_it_has_come(running, app):
    with Client(running) as client:
        client.send(request("/up/pieces", "Content-Length: 15", method="POST"))
        for piece in (b"one..", b"two..", b"three"):
            client.send(piece)
            assert app.piece() == piece
        assert client.response().content == b"end"
        assert client.ask("/next", method="POST", content=b"same connection").content == b"same connection"


def test_chunks_too(running, app):
    with Client(running) as client:
        client.send(request("/up/pieces", "Transfer-Encoding: chunked", method="POST"))
        for piece in (b"one..", b"two.."):
            client.send(b"5\r\n" + piece + b"\r\n")
            assert app.piece() == piece
        client.send(b"0\r\nX-Trailer: dropped\r\n\r\n")
        assert client.response().content == b"end"
        assert client.ask("/next").status == 200


def test_other_paths_are_collected_first(running, app):
    with Client(running) as client:
        client.send(request("/pieces", "Content-Length: 10", method="POST") + b"one..")
        turns(running)
        assert app.pieces.empty()
        client.send(b"two..")
        assert [app.piece(), app.piece()] == [b"one..", b"two.."]


@pytest.mark.parametrize("way", ["length", "chunks"])
def test_large_contents_arrive_whole_and_never_on_disk(running, way):
    data = hashlib.shake_256(b"tpserver").digest(20_000_000)
    whole = (
        request("/up/digest", method="POST", content=data)
        if way == "length"
        else chunked("/up/digest", *(data[at : at + 30_000] for at in range(0, len(data), 30_000)))
    )
    with Client(running) as client:
        client.send(whole)
        assert client.response().content == hashlib.sha256(data).hexdigest().encode()
        assert running.server.stats()["spool"]["bytes"] == 0


@pytest.mark.parametrize("cut", range(1, 12))
def test_lines(running, cut):
    data = b"one\ntwo\n\nthree"
    with Client(running) as client:
        client.send(request("/up/lines", f"Content-Length: {len(data)}", method="POST") + data[:cut])
        turns(running)
        client.send(data[cut:])
        assert client.response().content == b"one|two||three"


def test_what_is_there_already_and_the_next_request_behind_it(running):
    with Client(running) as client:
        client.send(
            request("/up/all", method="POST", content=b"here") + request("/up/all", method="POST", content=b"next")
        )
        assert [client.response().content, client.response().content] == [b"here", b"next"]


def test_a_client_that_asks_first_is_told_to_go_on_when_the_application_reads(running):
    with Client(running) as client:
        client.send(request("/up/all", "Content-Length: 4", "Expect: 100-continue", method="POST"))
        head = client.head()
        assert (head.status, head.fields) == (100, {})
        client.send(b"here")
        assert client.response().content == b"here"


def test_what_the_application_does_not_read_ends_the_connection(running):
    with Client(running) as client:
        client.send(request("/up/ignore", "Content-Length: 1000000", "Expect: 100-continue", method="POST"))
        response = client.response()
        assert (response.status, response.fields["connection"]) == (200, "close")
        assert client.ended()


@pytest.mark.parametrize(
    ("rest", "status"),
    [(b"nonsense\r\n", 400), (b"fffffff\r\n" + b"x" * 100_000, 413)],
    ids=["malformed", "too large"],
)
def test_a_content_that_cannot_be_accepted_is_refused(start, app, rest, status):
    running = start(app, stream_body=["/up/"], max_body=1_000_000)
    with Client(running) as client:
        client.send(request("/up/all", "Transfer-Encoding: chunked", method="POST") + b"1\r\nx\r\n")
        client.send(rest)
        assert client.response().status == status
        assert client.ended()


def test_a_client_that_leaves_in_the_middle_ends_the_request(running, log):
    client = Client(running)
    client.send(request("/up/all", "Content-Length: 10", method="POST") + b"half")
    turns(running)
    client.close()
    until_left(running, 0)
    assert "Traceback" not in log.text


def test_a_client_that_is_too_slow_is_told_and_the_log_does_not_blame_the_application(start, app, log):
    running = start(app, stream_body=["/up/"], send_timeout=0.1)
    with Client(running) as client:
        client.send(request("/up/all", "Content-Length: 10", method="POST") + b"half")
        assert client.response().status == 408
        assert client.ended()
    until_left(running, 0)
    assert "Traceback" not in log.text


def test_such_a_request_never_runs_in_the_thread_that_polls(running, app):
    with Client(running) as half, Client(running) as other:
        half.send(request("/up/all", "Content-Length: 10", method="POST"))
        assert other.ask("/quick").status == 200
        # On a busy machine the other request may be answered first.
        eventually(lambda: "/up/all" in app.threads, "it does not run")
        half.send(b"0123456789")
        assert half.response().content == b"0123456789"
    assert not app.threads["/up/all"].startswith("tpserver-leader")


def test_a_prefix_is_the_beginning_of_a_path():
    with pytest.raises(UsageError, match="beginning of a path"):
        make_server("127.0.0.1", 0, stream_body=["upload"])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_content_that_a_file_has_no_use_for_ends_the_connection(start, app, tmp_path, method):
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "file.txt").write_text("A file")
    running = start(None, root=str(tmp_path), stream_body=["/up/"])
    with Client(running) as client:
        client.send(request("/up/file.txt", "Content-Length: 10", method=method) + b"half")
        response = client.response()
        assert response.status == (200 if method == "GET" else 405)
        assert response.fields["connection"] == "close"
        assert client.ended()


def test_one_that_finds_no_place_is_the_last_on_its_connection(start):
    """Its content would be taken for the next request."""
    with Gates() as gates:
        running = start(gates, stream_body=["/up/"], threads=1, queue=0)
        with Client(running) as busy, Client(running) as client:
            busy.send(request("/hold/it"))
            gates.arrived()
            client.send(request("/up/all", "Content-Length: 10", method="POST"))
            response = client.response()
            assert (response.status, response.fields["connection"]) == (503, "close")
            assert client.ended()
            gates.open("it")
            assert busy.response().status == 200
        assert gates.seen == ["/hold/it"]


def test_no_client_is_told_to_go_on_in_the_middle_of_an_answer(start):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"begin "
        yield environ["wsgi.input"].read()

    running = start(app, stream_body=["/up/"])
    with Client(running) as client:
        client.send(request("/up/", "Content-Length: 4", "Expect: 100-continue", method="POST") + b"")
        assert client.head().status == 200
        client.send(b"body")
        assert client.stream.read() == b"6\r\nbegin \r\n4\r\nbody\r\n0\r\n\r\n"
