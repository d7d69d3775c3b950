"""Which connections stay open behind a response, and what a request may look like on them."""

from __future__ import annotations

import pytest

from tests.client import Client, request
from tests.gates import Gates

ANSWERERS = {"an application": "/page", "a file": "/file.txt", "the server itself": "/none/at/all"}


@pytest.fixture
def site(start, tmp_path):
    """A server that answers in three ways: start it by the name of one."""
    (tmp_path / "file.txt").write_text("content")

    def for_answerer(answerer):
        return start(Gates() if answerer == "an application" else None, root=str(tmp_path))

    return for_answerer


@pytest.mark.parametrize("answerer", ANSWERERS)
@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", [], True),
        ("1.1", ["close"], False),
        ("1.1", ["Close"], False),
        ("1.1", ["CLOSE"], False),
        ("1.1", ["keep-alive"], True),
        ("1.1", ["keep-alive, close"], False),
        ("1.1", ["upgrade-hint,\tclose ,"], False),
        ("1.1", ["foo", "close"], False),
        ("1.1", ["closed, not-close"], True),
        ("1.0", [], False),
        ("1.0", ["keep-alive"], True),
        ("1.0", ["Keep-Alive"], True),
        ("1.0", ["foo , KEEP-ALIVE"], True),
        ("1.0", ["keep-alive", "close"], False),
        ("1.0", ["keep-alives"], False),
    ],
)
def test_connection_is_kept_or_closed_as_asked(site, answerer, version, connection, kept):
    fields = [f"Connection: {value}" for value in connection]
    with Client(site(answerer)) as client:
        response = client.ask(ANSWERERS[answerer], *fields, version=version)
        said = response.fields.get("connection")
        if kept:
            assert said == ("keep-alive" if version == "1.0" else None)
            assert client.ask(ANSWERERS[answerer], *fields, version=version).status == response.status
        else:
            assert said == "close"
            assert client.ended()


def streaming(environ, start_response):
    start_response("200 OK", [])
    yield b"one "
    yield b"two"


def test_content_of_unknown_length_keeps_an_http_1_1_connection_open(start):
    with Client(start(streaming)) as client:
        for _ in range(2):
            response = client.ask("/")
            assert (response.content, response.fields["transfer-encoding"]) == (b"one two", "chunked")


def test_content_of_unknown_length_ends_with_an_http_1_0_connection(start):
    with Client(start(streaming)) as client:
        response = client.ask("/", "Connection: keep-alive", version="1.0")
        assert response.content == b"one two"
        assert response.fields["connection"] == "close"


@pytest.mark.parametrize("answerer", ANSWERERS)
def test_head_gets_the_same_fields_without_content(site, answerer):
    with Client(site(answerer)) as client:
        got = client.ask(ANSWERERS[answerer], "Accept: text/plain")
        head = client.ask(ANSWERERS[answerer], "Accept: text/plain", method="HEAD")
        assert int(head.fields["content-length"]) == len(got.content) > 0
        assert (head.status, set(head.fields)) == (got.status, set(got.fields))
        # Were there content behind the head, this would not be a response.
        assert client.ask(ANSWERERS[answerer], "Accept: text/plain").content == got.content


@pytest.mark.parametrize("app", [None, Gates()], ids=["files only", "application"])
def test_options_for_the_whole_server(start, tmp_path, app):
    with Client(start(app, root=str(tmp_path))) as client:
        response = client.ask("*", method="OPTIONS")
        assert response.status == 204
        assert {"GET", "HEAD", "OPTIONS"} <= set(response.fields["allow"].split(", "))
        assert client.ask("*", method="OPTIONS").status == 204


def test_absolute_form_names_the_host(start):
    def echo(environ, start_response):
        start_response("200 OK", [])
        return [f"{environ['HTTP_HOST']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}".encode()]

    with Client(start(echo)) as client:
        assert client.ask("http://other.example:81/a/b?c=d").content == b"other.example:81 /a/b?c=d"
        assert client.ask("/a").content == b"server.example /a?"


def test_client_that_ends_its_side_still_gets_all_answers(start):
    with Gates() as gates, Client(start(gates)) as client:
        client.send(request("/hold/a") + request("/b"))
        client.finish_sending()
        gates.arrived()
        gates.open("a")
        assert client.response().content == b"/hold/a "
        assert client.response().content == b"/b "
        assert client.ended()


def test_one_empty_line_before_a_request_is_ignored(start):
    with Client(start(Gates())) as client:
        client.send(b"\r\n" + request("/a") + b"\r\n" + request("/b"))
        assert client.response().content == b"/a "
        assert client.response().content == b"/b "
        client.send(b"\r\n")
        assert client.ask("/c").content == b"/c "


def test_two_empty_lines_before_a_request_are_refused(start):
    with Client(start(Gates())) as client:
        client.send(b"\r\n\r\n" + request("/a"))
        assert client.response().status == 400
        assert client.ended()
