"""Content that is sent to the server: collected before the application runs, in memory or on disk."""

from __future__ import annotations

import errno
import hashlib
import io
import tempfile

import pytest

from tests.client import Client, chunked, request, several
from tests.gates import Gates
from tests.waiting import eventually, turns, until, until_left, until_settled, until_waiting
from tpserver import spool
from tpserver.spool import LARGE, SPOOL


def describing(environ, start_response):
    """Answers where the content is kept, how long it is said to be, its length and its digest."""
    content = environ["wsgi.input"]
    kept = "memory" if isinstance(getattr(content, "_file", content), io.BytesIO) else "disk"
    data = content.read()
    start_response("200 OK", [])
    return [f"{kept} {environ['CONTENT_LENGTH']} {len(data)} {hashlib.sha256(data).hexdigest()}".encode()]


def described(kept, data):
    return f"{kept} {len(data)} {len(data)} {hashlib.sha256(data).hexdigest()}".encode()


def sample(length):
    return hashlib.shake_256(b"tpserver").digest(length)


@pytest.mark.parametrize(
    ("length", "kept"),
    [
        (1, "memory"),
        (SPOOL - 1, "memory"),
        (SPOOL, "memory"),
        (SPOOL + 1, "memory"),
        (LARGE, "memory"),
        (LARGE + 1, "disk"),
        (20_000_000, "disk"),
    ],
)
def test_small_content_is_kept_in_memory_and_large_content_on_disk(start, length, kept):
    data = sample(length)
    with Client(start(describing)) as client:
        assert client.ask("/", method="POST", content=data).content == described(kept, data)
        client.send(chunked("/", *(data[at : at + 10_000] for at in range(0, length, 10_000))))
        assert client.response().content == described(kept, data)
        assert client.ask("/", method="POST", content=b"next").content == described("memory", b"next")


def test_a_hundred_thousand_chunks_of_one_byte(start):
    data = sample(100_000)
    with Client(start(describing)) as client:
        client.send(chunked("/", *(data[at : at + 1] for at in range(len(data)))))
        assert client.response().content == described("memory", data)


@pytest.mark.parametrize(("memory", "kept"), [(0, "disk"), (64 * 1024**2, "memory")])
def test_uploads_by_many_clients_at_once(start, monkeypatch, memory, kept):
    monkeypatch.setattr(spool, "MEMORY", memory)
    running = start(describing)
    samples = [sample(200_000 + number) for number in range(16)]
    with several(running, len(samples)) as clients:
        for client, data in zip(clients, samples, strict=True):
            client.send(request("/", f"Content-Length: {len(data)}", method="POST"))
        for at in range(0, 250_000, 50_000):
            for client, data in zip(clients, samples, strict=True):
                client.send(data[at : at + 50_000])
        for client, data in zip(clients, samples, strict=True):
            assert client.response().content == described(kept, data)
        assert running.server.stats()["spool"]["bytes"] == 0


def test_contents_that_never_become_complete_take_no_more_memory_than_all_may(start, monkeypatch):
    monkeypatch.setattr(spool, "MEMORY", 3_000_000)
    running = start(describing)
    data = sample(1_000_000)
    with several(running, 8) as clients:
        for client in clients:
            client.send(request("/", f"Content-Length: {len(data)}", method="POST") + data[:-1])
            turns(running)
        server_spool = running.server.protocol.spool
        eventually(lambda: server_spool.taken >= 5 * 999_999, "those that find no memory left are not on disk")
        assert server_spool.in_memory <= 3_000_000
        for client in clients:
            client.send(data[-1:])
            assert client.response().status == 200
    eventually(lambda: server_spool.in_memory == server_spool.taken == 0, "what they took is not released")


def test_no_thread_is_taken_before_the_content_is_complete(start):
    with Gates() as gates:
        running = start(gates, threads=1)
        with several(running, 10) as clients:
            for client in clients:
                client.send(request("/upload", "Content-Length: 10", method="POST") + b"half ")
            turns(running)
            with Client(running) as quick:
                assert quick.ask("/quick").content == b"/quick "
            assert gates.seen == ["/quick"]
            for client in clients:
                client.send(b"done.")
                assert client.response().content == b"/upload half done."


def test_application_may_leave_the_content_unread(start):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"thanks"]

    with Client(start(app)) as client:
        for _ in range(3):
            assert client.ask("/", method="POST", content=sample(200_000)).content == b"thanks"


@pytest.fixture
def files(monkeypatch):
    """Every temporary file that the server makes."""
    made = []

    def recorded(make):
        def make_one(*args, **options):
            made.append(make(*args, **options))
            return made[-1]

        return make_one

    monkeypatch.setattr(tempfile, "TemporaryFile", recorded(tempfile.TemporaryFile))
    return made


BY_LENGTH = request("/hold/it", "Content-Length: 100000", method="POST") + b"x" * 90_000
IN_CHUNKS = request("/hold/it", "Transfer-Encoding: chunked", method="POST") + b"%x\r\n" % 100_000 + b"x" * 90_000
REST = {BY_LENGTH: b"x" * 10_000, IN_CHUNKS: b"x" * 10_000 + b"\r\n0\r\n\r\n"}
either_way = pytest.mark.parametrize("begun", [BY_LENGTH, IN_CHUNKS], ids=["by length", "in chunks"])


@pytest.mark.usefixtures("contents_on_disk")
@either_way
def test_files_are_gone_when_the_request_is_answered(start, files, begun):
    with Gates() as gates:
        running = start(gates)
        with Client(running) as client:
            client.send(begun)
            client.send(REST[begun])
            gates.arrived()
            assert [file.closed for file in files] == [False]
            gates.open("it")
            assert client.response().status == 200
            until_left(running, 1)
            assert [file.closed for file in files] == [True]


@pytest.mark.usefixtures("contents_on_disk")
@either_way
def test_files_are_gone_when_the_client_leaves_before_the_end(start, files, begun):
    running = start(Gates())
    with Client(running) as client:
        client.send(begun)
        until(running, lambda: files)
        assert [file.closed for file in files] == [False]
    until_left(running, 0)
    assert [file.closed for file in files] == [True]


@pytest.mark.usefixtures("contents_on_disk")
def test_files_are_gone_when_the_content_turns_out_to_be_too_large(start, files):
    running = start(Gates(), max_body=100_000)
    with Client(running) as client:
        client.send(chunked("/", b"x" * 90_000, b"x" * 90_000))
        assert client.response().status == 413
        assert client.ended()
    until_left(running, 0)
    assert [file.closed for file in files] == [True]


@pytest.mark.usefixtures("contents_on_disk")
@either_way
def test_files_are_gone_when_the_server_stops_in_the_middle(start, files, begun):
    running = start(Gates(), drain_timeout=0)
    with Client(running) as client:
        client.send(begun)
        until(running, lambda: files)
        until_settled(running)
        running.server.shutdown()
    assert [file.closed for file in files] == [True]


@pytest.mark.usefixtures("contents_on_disk")
def test_files_are_gone_when_the_server_stops_before_the_request_has_run(start, files, log):
    with Gates() as gates:
        running = start(gates, threads=1, drain_timeout=0)
        with Client(running) as first, Client(running) as second:
            first.send(request("/hold/first"))
            gates.arrived()
            second.send(request("/hold/second", method="POST", content=b"x" * 100_000))
            until_waiting(running, 1)
            running.server.shutdown()
            assert [file.closed for file in files] == [True]


class FullDisk(io.BytesIO):
    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("contents_on_disk")
def test_a_full_disk_is_a_503_and_the_server_goes_on(start, monkeypatch, log):
    running = start(Gates())
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: FullDisk())
    with Client(running) as client, Client(running) as other:
        assert client.ask("/", method="POST", content=b"x" * 100_000).status == 503
        assert client.ended()
        assert other.ask("/", method="POST", content=b"small").content == b"/ small"
    assert "No space left on device" in log.text
