"""A server that is asked to stop: what runs is finished, nothing new is taken, and what hangs is left behind."""

from __future__ import annotations

import threading

import pytest

from tests import inside
from tests.client import Client, request, several
from tests.clock import Clock
from tests.waiting import turns, until_settled, until_waiting
from tpserver import make_server


def stop(running):
    """Asks the server to stop, and returns when it is draining: it has closed an idle connection."""
    with Client(running) as idle:
        assert idle.ask("*", method="OPTIONS").status == 204
        running.server.begin_shutdown()
        assert idle.ended()


def stopped(running):
    running.thread.join(20)
    return not running.thread.is_alive()


def last_of(client):
    """The next answer, which must be the last one and told to be."""
    response = client.response()
    assert response.fields.get("connection") == "close"
    assert client.ended()
    return response


def test_what_runs_is_finished_and_its_client_told_that_it_was_the_last(start, gates):
    running = start(gates)
    with Client(running) as client:
        client.send(request("/hold/it"))
        gates.arrived()
        stop(running)
        gates.open("it")
        response = client.response()
        assert (response.content, response.fields.get("connection")) == (b"/hold/it ", "close")
        assert client.ended()
    assert stopped(running)


def test_what_waits_is_finished(start, gates):
    running = start(gates, threads=1)
    with Client(running) as first, Client(running) as second:
        first.send(request("/hold/first"))
        gates.arrived()
        second.send(request("/second"))
        until_waiting(running, 1)
        stop(running)
        gates.open("first")
        assert first.response().status == 200
        response = second.response()
        assert (response.content, response.fields.get("connection")) == (b"/second ", "close")
        assert second.ended()
    assert stopped(running)


def test_what_has_been_pipelined_is_answered_as_far_as_it_was_begun(start, gates):
    running = start(gates)
    with Client(running) as client:
        client.send(request("/hold/it") + request("/next"))
        gates.arrived()
        stop(running)
        gates.open("it")
        response = client.response()
        assert response.content == b"/hold/it "
        if "connection" not in response.fields:  # then it must be kept open for the next one
            assert client.response().fields["connection"] == "close"
        assert client.ended()
    assert stopped(running)


def test_request_whose_head_has_begun_is_finished(start, gates):
    running = start(gates)
    with Client(running) as client:
        client.send(b"GET /half HTTP/1.1\r\n")
        turns(running)
        stop(running)
        client.send(b"Host: a\r\n\r\n")
        response = client.response()
        assert (response.content, response.fields["connection"]) == (b"/half ", "close")
        assert client.ended()
    assert stopped(running)


def test_answer_that_is_being_read_is_finished(start):
    length = 16 * 1024 * 1024

    def large(environ, start_response):
        start_response("200 OK", [])
        return [b"x" * length]

    running = start(large)
    with Client(running) as client:
        client.send(request("/"))
        assert client.head().status == 200
        stop(running)
        assert client.stream.read(length) == b"x" * length
        assert client.ended()
    assert stopped(running)


def test_new_connections_are_not_served_any_more(start, gates):
    running = start(gates)
    with Client(running) as client:
        client.send(request("/hold/it"))
        gates.arrived()
        stop(running)
        late = []
        try:
            late.append(Client(running))
            late[0].send(request("/late"))
        except OSError:
            pass  # refused outright: as well
        gates.open("it")
        assert client.response().status == 200
    assert stopped(running)
    running.server.server_close()
    for one in late:
        with one:
            try:
                assert one.ended()
            except ConnectionResetError:
                pass
    assert gates.seen == ["/hold/it"]
    with pytest.raises(ConnectionRefusedError):
        Client(running)


def test_requests_that_have_come_when_it_begins_are_answered(start, gates, monkeypatch):
    running = start(gates)
    with several(running, 5) as clients, Client(running) as new:
        for client in clients:
            assert client.ask("/before").status == 200
        turns(running)  # the new one has been accepted
        inside.HeldPoller(monkeypatch, running.server)
        for client in [*clients, new]:
            client.send(request("/it"))
        running.server.begin_shutdown()
        assert [last_of(client).content for client in [*clients, new]] == [b"/it "] * 6
    assert stopped(running)


def test_a_request_behind_an_answer_that_is_still_being_read_is_answered(start):
    length = 16 * 1024 * 1024

    def large(environ, start_response):
        start_response("200 OK", [])
        return [b"x" * (length if environ["PATH_INFO"] == "/large" else 1)]

    running = start(large)
    with Client(running) as client:
        client.send(request("/large"))
        assert client.head().status == 200
        stop(running)
        client.send(request("/next"))
        assert client.stream.read(length) == b"x" * length
        assert last_of(client).content == b"x"
    assert stopped(running)


def test_a_client_that_has_connected_when_it_begins_is_let_in_where_none_comes_after(start, gates, monkeypatch):
    running = start(gates)
    running.server.refuses_when_draining = True
    turns(running)
    inside.HeldPoller(monkeypatch, running.server)
    with several(running, 100) as clients, Client(running) as silent:
        for client in clients:
            client.send(request("/it"))
        running.server.begin_shutdown()
        assert [last_of(client).content for client in clients] == [b"/it "] * 100
        assert silent.ended()
        with pytest.raises(ConnectionRefusedError):
            Client(running)
    assert stopped(running)


def test_a_request_that_crosses_the_end_of_its_connection_meets_no_reset(start, gates, monkeypatch):
    Clock(monkeypatch)
    running = start(gates)
    with Client(running) as client, Client(running) as late:
        client.send(request("/hold/it"))
        gates.arrived()
        assert late.ask("/before").status == 200
        stop(running)
        for _ in range(3):
            late.send(request("/late"))
            assert late.sock.recv(1) == b""
        gates.open("it")
        assert client.response().status == 200
    assert stopped(running)
    assert "/late" not in gates.seen


def test_idle_clients_that_keep_their_side_open_do_not_hold_it_up(start, gates, monkeypatch):
    Clock(monkeypatch)  # no connection is closed for having lingered
    running = start(gates, drain_timeout=1000)
    with several(running, 3) as clients:
        for client in clients:
            assert client.ask("/").status == 200
        until_settled(running)
        running.server.begin_shutdown()
        assert stopped(running)
        assert all(client.ended() for client in clients)


def test_who_has_waited_too_long_is_told_that_its_connection_ends(start, gates):
    running = start(gates, threads=1)
    with Client(running) as first, Client(running) as client:
        first.send(request("/hold/first"))
        gates.arrived()
        client.send(request("/late"))
        until_waiting(running, 1)
        stop(running)
        inside.set_queue_timeout(running.server, 1e-9)  # has been over for long
        assert last_of(client).status == 503
        gates.open("first")
        assert first.response().status == 200
    assert stopped(running)


def test_who_finds_the_queue_full_is_told_that_its_connection_ends(start, gates):
    running = start(gates, threads=1, queue=1)
    with several(running, 3) as (first, second, client):
        first.send(request("/hold/first"))
        gates.arrived()
        second.send(request("/second"))
        until_waiting(running, 1)
        client.send(request("/third")[:-2])
        turns(running)
        stop(running)
        client.send(b"\r\n")
        assert last_of(client).status == 503
        gates.open("first")
        assert first.response().status == second.response().status == 200
    assert stopped(running)


def test_what_hangs_is_left_behind_after_a_time(start, gates, log):
    running = start(gates, drain_timeout=0.2)
    with Client(running) as client:
        client.send(request("/hold/it"))
        gates.arrived()
        running.server.shutdown()  # comes back though the request goes on
        assert gates.running == 1
        assert client.ended()
        assert "1 request still runs" in log.text


def test_a_client_that_does_not_read_is_left_behind_after_a_time(start):
    def large(environ, start_response):
        start_response("200 OK", [])
        return [b"x" * 16 * 1024 * 1024]

    running = start(large, drain_timeout=0.2)
    with Client(running) as client:
        client.send(request("/"))
        assert client.head().status == 200
        running.server.shutdown()
        assert len(client.stream.read()) < 16 * 1024 * 1024


def test_a_second_request_to_stop_does_not_wait(start, gates):
    running = start(gates, drain_timeout=1000)
    with Client(running) as client:
        client.send(request("/hold/it"))
        gates.arrived()
        stop(running)
        assert running.thread.is_alive()
        running.server.begin_shutdown()
        assert stopped(running)
        assert gates.running == 1
        assert client.ended()


def test_a_server_that_has_stopped_can_serve_again(start, gates):
    running = start(gates)
    with Client(running) as client:
        assert client.ask("/a").status == 200
    running.server.shutdown()
    assert stopped(running)
    running.thread = threading.Thread(target=running.server.serve_forever)
    running.thread.start()
    with Client(running) as client:
        assert client.ask("/b").content == b"/b "


def test_who_connects_while_it_drains_is_answered_when_it_serves_again(start, gates):
    running = start(gates)
    with Client(running) as client:
        client.send(request("/hold/it"))
        gates.arrived()
        stop(running)
        with Client(running) as waiting:
            waiting.send(request("/late"))
            gates.open("it")
            assert stopped(running)
            assert gates.seen == ["/hold/it"]
            running.thread = threading.Thread(target=running.server.serve_forever)
            running.thread.start()
            assert waiting.response().content == b"/late "


def test_one_server_stops_while_another_in_the_process_goes_on(start, gates):
    running, other = start(gates), start(gates)
    with Client(running) as client, Client(other) as held, Client(other) as quick:
        held.send(request("/hold/it"))
        gates.arrived()
        assert client.ask("/a").status == quick.ask("/a").status == 200
        running.server.shutdown()
        assert client.ended()
        assert quick.ask("/b").status == 200
        gates.open("it")
        assert held.response().status == 200


def test_handle_request_serves_one(gates):
    with make_server("127.0.0.1", 0, gates) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with Client(address_of(server)) as client:
            assert client.ask("/a").content == b"/a "
            thread.join(20)
            assert not thread.is_alive()
            assert client.ended()


def test_an_application_may_ask_its_server_to_stop(start):
    def app(environ, start_response):
        running.server.begin_shutdown()
        start_response("200 OK", [])
        return [b"stopping"]

    running = start(app)
    with Client(running) as client:
        assert client.ask("/").content == b"stopping"
        assert client.ended()
    assert stopped(running)


class address_of:  # noqa: N801 - reads as a function
    """Just enough of `Running` to connect to a server."""

    def __init__(self, server):
        self.address = ("127.0.0.1", server.server_port)
