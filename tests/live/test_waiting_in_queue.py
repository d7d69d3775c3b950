"""Requests that wait for a thread: how long, for whom, and what becomes of those whose client has left."""

from __future__ import annotations

import select
import threading

import pytest

from tests import inside
from tests.client import PATIENCE, Client, request, several
from tests.gates import Gates
from tests.waiting import turns, until, until_left, until_waiting


def busy(start, gates, **options):
    """A server whose only thread is taken, and the client that has it."""
    running = start(gates, threads=1, **options)
    client = Client(running)
    client.send(request("/hold/first"))
    gates.arrived()
    return running, client


def test_one_that_has_waited_too_long_gets_503_and_is_never_run(start, gates):
    running, first = busy(start, gates, queue_timeout=0.05)
    with first, Client(running) as client:
        response = client.ask("/late")
        assert response.status == 503
        assert int(response.fields["retry-after"]) >= 1
        assert response.fields.get("connection") != "close"
        gates.open("first")
        assert first.response().status == 200
        assert client.ask("/next").status == 200
    assert "/late" not in gates.seen
    assert running.server.stats()["refused"]["queue timeout"] == 1


def test_without_a_limit_they_wait(start, gates):
    running, first = busy(start, gates, queue_timeout=0)
    with first, Client(running) as client:
        client.send(request("/patient"))
        until_waiting(running, 1)
        gates.open("first")
        assert client.response().status == 200


@pytest.mark.usefixtures("hard_resets")
def test_one_whose_client_has_left_is_never_run(start, gates, monkeypatch, tmp_path):
    inside.notice_leavers_at_once(monkeypatch)
    log = tmp_path / "access.log"
    running, first = busy(start, gates, access_log=str(log))
    with first, Client(running) as stays:
        leaves = Client(running)
        leaves.send(request("/left"))
        until_waiting(running, 1)
        leaves.reset()
        until_waiting(running, 0)
        stays.send(request("/stays"))
        until_waiting(running, 1)
        gates.open("first")
        assert stays.response().status == 200
        assert first.response().status == 200
        until_left(running, 2)
    assert gates.seen == ["/hold/first", "/stays"]
    assert running.server.stats()["ended"] == {"client gone": 1}
    running.stop()
    assert [line for line in log.read_text().splitlines() if '"GET /left HTTP/1.1" 499 ' in line]


@pytest.mark.usefixtures("hard_resets")
def test_those_who_have_left_make_room_in_the_queue(start, gates):
    running, first = busy(start, gates, queue=1)
    with first, Client(running) as client:
        leaves = Client(running)
        leaves.send(request("/left"))
        until_waiting(running, 1)
        leaves.reset()
        until_waiting(running, 0)
        client.send(request("/next"))
        until_waiting(running, 1)
        gates.open("first")
        assert client.response().content == b"/next "
    assert "/left" not in gates.seen


def test_one_that_only_has_nothing_more_to_send_gets_its_answer_behind_the_others(start, gates, monkeypatch):
    inside.notice_leavers_at_once(monkeypatch)
    running, first = busy(start, gates)
    with first, Client(running) as client, Client(running) as other:
        client.send(request("/half-closed"))
        client.finish_sending()
        until_waiting(running, 1)
        other.send(request("/other"))
        until(
            running, lambda: [task.request.route for task in running.server.tasks.queued()][1:] == ["GET /half-closed"]
        )
        gates.open("first")
        assert client.response().content == b"/half-closed "
        assert other.response().content == b"/other "
    assert gates.seen == ["/hold/first", "/other", "/half-closed"]


@pytest.mark.parametrize("fields", [(), ("Connection: close",)], ids=["kept", "closed"])
def test_one_that_half_closes_and_waits_too_long_is_told_so(start, gates, monkeypatch, fields):
    inside.notice_leavers_at_once(monkeypatch)
    running, first = busy(start, gates, queue_timeout=0.05)
    with first, Client(running) as client:
        client.send(request("/half-closed", *fields))
        client.finish_sending()
        assert client.response().status == 503
        assert client.ended()
        gates.open("first")


def test_what_still_waits_when_the_server_stops_is_logged(start, gates, log):
    running, first = busy(start, gates, drain_timeout=0.01)
    with first, Client(running) as client:
        client.send(request("/waits"))
        until_waiting(running, 1)
        running.stop()
        gates.open("first")
    assert "1 requests still wait for a thread; they are dropped" in log.text


def test_a_client_that_pipelines_has_not_left(start, gates):
    running, first = busy(start, gates)
    with first, Client(running) as client:
        client.send(request("/one") + request("/two"))
        until_waiting(running, 1)
        client.send(request("/three"))
        gates.open("first")
        assert [client.response().content for _ in range(3)] == [b"/one ", b"/two ", b"/three "]


def test_an_application_can_ask_whether_its_client_has_left(start):
    asked, left, answers = threading.Event(), threading.Event(), []

    def app(environ, start_response):
        gone = environ["tpserver.client_gone"]
        answers.append(gone())
        asked.set()
        left.wait(PATIENCE)
        while not gone():
            pass
        answers.append(True)
        start_response("200 OK", [])
        return [b"not read"]

    running = start(app)
    client = Client(running)
    client.send(request("/"))
    assert asked.wait(PATIENCE)
    client.close()
    left.set()
    until_left(running, 0)
    assert answers == [False, True]


needs_events = pytest.mark.skipif(
    not (hasattr(select, "poll") and hasattr(select, "POLLRDHUP")), reason="this system does not tell"
)


def never_run(occupied, gates, asks, more):
    """One waits in the queue behind the first with what it `asks`, sends `more`, and leaves: only the first is run."""
    running, first = occupied
    with first:
        with Client(running) as leaves:
            leaves.send(asks)
            until_waiting(running, 1)
            leaves.send(more)
            leaves.reset()
        until_waiting(running, 0)
        gates.open("first")
        assert first.response().status == 200
        until_left(running, 1)
    assert gates.seen == ["/hold/first"]


@needs_events
@pytest.mark.parametrize("more", [request("/second"), b"x"], ids=["a request", "a byte"])
def test_one_whose_client_has_left_with_something_unread_is_never_run(start, gates, more, monkeypatch):
    inside.notice_leavers_at_once(monkeypatch)
    never_run(busy(start, gates), gates, request("/left"), more)


@needs_events
def test_one_who_has_left_in_the_middle_of_an_upload_is_never_run(start, gates, monkeypatch):
    inside.notice_leavers_at_once(monkeypatch)
    upload = request("/up", "Content-Length: 1000", method="POST") + b"some"
    never_run(busy(start, gates, stream_body=["/up"]), gates, upload, b"more")


@needs_events
@pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["closes", "resets"])
def test_an_application_is_told_that_its_client_has_left_with_something_unread(start, leave):
    asked, told = threading.Event(), threading.Event()

    def app(environ, start_response):
        gone = environ["tpserver.client_gone"]
        asked.set()
        for _ in range(int(PATIENCE / 0.01)):
            if gone():
                told.set()
                break
            threading.Event().wait(0.01)
        start_response("200 OK", [])
        return []

    running = start(app)
    client = Client(running)
    client.send(request("/"))
    assert asked.wait(PATIENCE)
    client.send(request("/second"))
    leave(client)
    assert told.wait(PATIENCE)


def test_retry_after_is_what_the_line_will_take(start, gates):
    running = start(gates, threads=1, queue=1)
    with several(running, 3) as (first, second, third):
        first.send(request("/hold/first"))
        gates.arrived()
        inside.set_mean_time(running.server, 7.0)
        second.send(request("/second"))
        until_waiting(running, 1)
        refused = third.ask("/third")
        assert (refused.status, refused.fields["retry-after"]) == (503, "7")
        gates.open("first")


def test_nothing_runs_in_the_thread_that_polls_where_that_is_not_wanted(start):
    names = set()

    def app(environ, start_response):
        names.add(inside.leads(running.server))
        start_response("200 OK", [])
        return [b"done"]

    running = start(app, in_place="never")
    with Client(running) as client:
        assert {client.ask("/").content for _ in range(20)} == {b"done"}
    assert names == {False}
    assert running.server.stats()["requests"]["in_pool"] == 20


def test_requests_that_compute_take_turns(start, monkeypatch):
    """Two at once would only take the interpreter from each other."""
    inside.compute_one_at_a_time(monkeypatch)
    lock, at_once, most = threading.Lock(), [0], [0]

    def app(environ, start_response):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        for number in range(400_000):
            str(number)
        with lock:
            at_once[0] -= 1
        start_response("200 OK", [])
        return [b"done"]

    running = start(app)
    with Client(running) as client:
        while not inside.computes(running.server):
            client.ask("/report")
    most[0] = 0
    with several(running, 4) as clients:
        for client in clients:
            client.send(request("/report"))
        assert {client.response().content for client in clients} == {b"done"}
    assert most[0] == 1
    (route,) = [one for one in running.server.stats()["routes"] if one["route"] == "GET /report"][:1]
    assert route["place"] == "computing"


def test_one_address_has_so_many_connections_and_no_more(start):
    running = start(Gates(), max_connections_per_ip=2)
    with Client(running) as one, Client(running) as two:
        assert one.ask("/").status == two.ask("/").status == 200
        with Client(running) as three:
            assert three.response().status == 503
            assert three.ended()
    while True:  # those that have gone make room
        with Client(running) as later:
            if later.ask("/").status == 200:
                break
    assert running.server.stats()["refused"]["connection limit of one address"] >= 1


def test_a_thousand_pipelined_requests_do_not_keep_others_waiting(start):
    running = start(Gates())
    with Client(running) as greedy, Client(running) as other:
        greedy.send(request("/greedy") * 1000)
        assert other.ask("/other").status == 200
        seen = running.server.get_app().seen
        assert seen.index("/other") < 900, "the others come in between"
        for _ in range(1000):
            assert greedy.response().content == b"/greedy "
    turns(running)
