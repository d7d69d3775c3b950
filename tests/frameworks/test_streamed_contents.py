"""Contents of `--stream-body`, of known length and chunked, as frameworks read them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client import Client, request
from tests.running import Start

CONTENT = b"0123456789" * 20_000
BODY = b"186a0\r\n" + CONTENT[:100_000] + b"\r\n186a0\r\n" + CONTENT[100_000:] + b"\r\n0\r\n\r\n"


def bottle_site() -> Any:
    bottle = pytest.importorskip("bottle", reason="Bottle is not installed")
    site = bottle.Bottle()
    site.route("/up/x", method="PUT")(lambda: str(len(bottle.request.body.read())))
    return site


def falcon_site() -> Any:
    falcon = pytest.importorskip("falcon", reason="Falcon is not installed")

    class Up:
        def on_put(self, request: Any, response: Any) -> None:
            response.text = str(len(request.bounded_stream.read()))

    site = falcon.App()
    site.add_route("/up/x", Up())
    return site


def flask_site() -> Any:
    flask = pytest.importorskip("flask", reason="Flask is not installed")
    site = flask.Flask("streamed")
    site.put("/up/x")(lambda: str(len(flask.request.get_data())))
    return site


def django_site() -> Any:
    from django.core.handlers.wsgi import WSGIRequest

    def site(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        text = str(len(WSGIRequest(environ).read())).encode()
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return [text]

    return site


@pytest.fixture
def request_fixture(request: pytest.FixtureRequest) -> pytest.FixtureRequest:
    """pytest's `request`: here that is a function of tests.client."""
    return request


@pytest.mark.field
@pytest.mark.parametrize("site", [bottle_site, django_site, falcon_site, flask_site])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_framework_reads_the_whole_content(
    start: Start, request_fixture: pytest.FixtureRequest, site: Any, framing: str
) -> None:
    if site is django_site:
        request_fixture.getfixturevalue("project")  # Django has its settings
    with Client(start(site(), stream_body=["/up/"])) as client:
        if framing == "length":
            client.send(request("/up/x", method="PUT", content=CONTENT))
        else:
            client.send(request("/up/x", "Transfer-Encoding: chunked", method="PUT") + BODY)
        answer = client.response()
    assert (answer.status, answer.content) == (200, b"200000")


@pytest.mark.parametrize("options", [{}, {"stream_body": ["/up/"]}, {"stream_body": ["/up/"], "stream_chunked": True}])
def test_no_application_sees_how_the_content_was_sent(start: Start, options: dict[str, Any]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [f"{len(environ['wsgi.input'].read())} {'HTTP_TRANSFER_ENCODING' in environ}".encode()]

    with Client(start(app, **options)) as client:
        client.send(request("/up/x", "Transfer-Encoding: chunked", method="PUT") + BODY)
        assert client.response().content == b"200000 False"
