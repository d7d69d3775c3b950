"""--vhost: each host has its own folder and application, and none is served for another."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.apps import plain_app
from tests.client import Client, Response, ask, exchange, parse
from tests.running import Start
from tpserver.errors import StartError, UsageError
from tpserver.files import listing_responder as listing
from tpserver.http.head import Head
from tpserver.http.section import FieldSection
from tpserver.protocol import HTTPRequest

APPLICATION = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = ("SERVER_NAME", "HTTP_HOST", "PATH_INFO")
    return [" ".join([NAME] + [environ.get(name, "-") for name in names]).encode("latin-1")]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders a, b and root, each with its name on its page, and two applications, where the server runs."""
    for name in ("a", "b", "root"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(f"folder {name}", "utf-8")
    (tmp_path / "a" / "only-a.txt").write_bytes(b"only a")
    for name in ("one", "two"):
        (tmp_path / f"vhost_{name}.py").write_text(f"NAME = {name!r}\n" + APPLICATION, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("one", "two"):
        monkeypatch.delitem(sys.modules, f"vhost_{name}", raising=False)
    return tmp_path


def get(running: Any, host: str | None, target: str = "/", version: str = "1.1") -> Response:
    return ask(running, target, host=host, version=version)


def test_each_host_has_its_folder_and_others_get_the_default(place: Path, start: Start) -> None:
    running = start(root="root", vhost=["a.example=a", "b.example=b"])
    assert get(running, "a.example").content == b"folder a"
    assert get(running, "b.example").content == b"folder b"
    assert get(running, "c.example").content == b"folder root"
    assert get(running, "127.0.0.1").content == b"folder root"
    assert get(running, "b.example", "/only-a.txt").status == 404


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("A.Example", b"folder a"),
        ("a.example:8080", b"folder a"),
        ("a.example.", b"folder a"),
        ("www.a.example", b"folder b"),
        ("x.www.A.example.:80", b"folder b"),
        ("notwww.aXexample", b"folder root"),
        ("a.example.evil", b"folder root"),
        ("[::1]:8888", b"folder a"),
        ("[0:0:0:0:0:0:0:1]", b"folder a"),
        ("", b"folder root"),
    ],
)
def test_how_hosts_are_compared(place: Path, start: Start, host: str, expected: bytes) -> None:
    running = start(root="root", vhost=["A.example=a", "*.a.example=b", "[::1]=a"])
    assert get(running, host).content == expected


def test_the_nearest_pattern_wins(place: Path, start: Start) -> None:
    running = start(vhost=["*.example=a", "*.b.example=b", "x.b.example=root"])
    assert get(running, "b.example").content == b"folder a"
    assert get(running, "y.b.example").content == b"folder b"
    assert get(running, "x.b.example").content == b"folder root"


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1", "", "example"])
def test_without_a_default_other_hosts_are_misdirected(place: Path, start: Start, host: str) -> None:
    running = start(vhost=["a.example=a"], header=["**=X-A: b"], cors=["*"])
    answer = get(running, host)
    assert answer.status == 421
    assert b"folder" not in answer.content
    assert (answer["X-A"], answer["Access-Control-Allow-Origin"]) == ("b", "*")


def test_a_misdirected_request_does_not_end_the_connection(place: Path, start: Start) -> None:
    with Client(start(vhost=["a.example=a"])) as client:
        for host, status in (("b.example", 421), ("a.example", 200), ("b.example", 421)):
            client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            answer = client.head()
            assert answer.status == status
            client.stream.read(int(answer.fields["content-length"]))


def test_an_old_client_that_names_no_host_gets_the_default(place: Path, start: Start) -> None:
    assert get(start(root="root", vhost=["a.example=a"]), None, version="1.0").content == b"folder root"
    assert get(start(vhost=["a.example=a"]), None, version="1.0").status == 421


def test_the_host_of_an_absolute_target_counts(place: Path, start: Start) -> None:
    running = start(vhost=["a.example=a", "b.example=b"])
    assert get(running, "a.example", "http://b.example/").content == b"folder b"


def test_a_host_has_a_folder_and_an_application(place: Path, start: Start) -> None:
    running = start(vhost=("a.example=a", "a.example=vhost_one:app", "b.example=vhost_two:app"))
    assert get(running, "a.example", "/only-a.txt").content == b"only a"
    assert get(running, "a.example", "/x").content == b"one a.example a.example /x"
    assert get(running, "b.example", "/only-a.txt").content == b"two b.example b.example /only-a.txt"


def test_an_application_is_told_the_host_that_was_named(place: Path, start: Start) -> None:
    running = start(vhost=["*.a.example=vhost_one:app"])
    assert get(running, "X.a.Example:81", "/p").content == b"one x.a.example X.a.Example:81 /p"
    assert get(running, "y.a.example", "http://z.a.example:82/p").content == b"one z.a.example z.a.example:82 /p"


def test_the_default_application_is_told_the_address_of_the_server(place: Path, start: Start) -> None:
    def name(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["SERVER_NAME"].encode()]

    running = start(name, vhost=["a.example=a"])
    assert get(running, "other.example").content == running.server.server_name.encode()


def test_what_is_remembered_of_one_host_is_not_told_another(place: Path, start: Start) -> None:
    """Heads that repeat are parsed once, and their environ is kept: by all of their bytes, so by their host."""
    running = start(plain_app, vhost=["a.example=vhost_one:app", "*.b.example=vhost_two:app"])
    hosts = {
        "a.example": b"one a.example a.example /x",
        "p.b.example": b"two p.b.example p.b.example /x",
        "q.b.example": b"two q.b.example q.b.example /x",
        "c.example": b"GET /x ",
    }
    with Client(running) as client:
        for _ in range(4):
            for host, expected in hosts.items():
                for secret in ("", "Cookie: a=b\r\n"):
                    client.send(f"GET /x HTTP/1.1\r\nHost: {host}\r\n{secret}\r\n".encode())
                    answer = client.head()
                    assert client.stream.read(int(answer.fields["content-length"])) == expected


def test_what_an_address_costs_on_one_host_is_not_counted_for_another(place: Path, start: Start) -> None:
    protocol = start(vhost=["*.a.example=vhost_one:app", "b.example=vhost_two:app"]).server.protocol
    heads = [Head("GET", "/x/y/z?q", FieldSection({"HTTP_HOST": f"{host}.example"})) for host in ("1.a", "2.a", "b")]
    requests = [HTTPRequest(protocol, ("", ""), head, None) for head in heads]
    assert not any(request.answer_at_once() or request.runs_inline for request in requests)
    one, two, other = [(request.route, request.route_group) for request in requests]
    assert one == two == ("*.a.example GET /x/y/z?q", "*.a.example GET /x/y/*")
    assert other == ("b.example GET /x/y/z?q", "b.example GET /x/y/*")


def test_options_of_files_are_for_every_host(place: Path, start: Start) -> None:
    (place / "a" / "404.html").write_bytes(b"lost in a")
    running = start(
        root="root", vhost=["a.example=a", "b.example=b"], error_page=["404=404.html"], header=["*=X-One:1"]
    )
    assert get(running, "a.example").fields["x-one"] == "1"
    assert get(running, "b.example").fields["x-one"] == "1"
    assert get(running, "a.example", "/none").content == b"lost in a"
    assert b"lost" not in get(running, "b.example", "/none").content


def test_a_single_page_application_for_a_host(place: Path, start: Start) -> None:
    running = start(vhost=["a.example=a", "b.example=vhost_one:app"], spa="index.html")
    assert get(running, "a.example", "/deep/link").content == b"folder a"
    assert get(running, "b.example", "/deep/link").content == b"one b.example b.example /deep/link"


def test_the_default_application_changes_and_the_hosts_keep_theirs(place: Path, start: Start) -> None:
    running = start(vhost=["a.example=a"])
    assert get(running, "b.example").status == 421
    running.server.set_app(plain_app)
    assert get(running, "b.example").content == b"GET / "
    assert get(running, "a.example").content == b"folder a"
    running.server.set_app(None)
    assert get(running, "b.example").status == 421


def test_many_hosts_are_not_all_remembered(place: Path, start: Start) -> None:
    running = start(root="root", vhost=["a.example=a"])
    with Client(running) as client:
        for number in range(1100):
            client.send(f"HEAD / HTTP/1.1\r\nHost: h{number}.example\r\n\r\n".encode())
            assert client.head().status == 200
    assert running.server.protocol.site._remembered.cache_info().currsize <= 1024


@pytest.mark.parametrize(
    ("vhost", "kind", "complaint"),
    [
        (["a.example=nowhere"], UsageError, "^--vhost a.example=nowhere: there is no such folder"),
        (["a.example=a", "A.example=b"], UsageError, "the host has a folder already"),
        (["a.example=vhost_one:app", "a.example=vhost_two:app"], UsageError, "the host has an application already"),
        (["a.example=no_such_module:app"], StartError, "cannot import no_such_module"),
        (["a.example:80=a"], UsageError, "^--vhost: .* has a port"),
        (["a.example"], UsageError, "^--vhost: .* is not HOST=DIR"),
    ],
)
def test_what_cannot_be_a_virtual_host(
    place: Path, start: Start, vhost: list[str], kind: type[Exception], complaint: str
) -> None:
    with pytest.raises(kind, match=complaint):
        start(vhost=vhost)


def test_large_listings_are_few_whatever_their_number_of_hosts(
    place: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LARGE", 1)
    for folder in ("a", "b"):
        (place / folder / "index.html").unlink()
        for number in range(3):
            (place / folder / f"{number}.txt").write_bytes(b"")
    running = start(vhost=["a.example=a", "b.example=b"], listing=True)
    sites = running.server.protocol.site.sites
    counts = {site._listing.__self__._large for site in sites.values()}
    assert len(counts) == 1
    (count,) = counts
    with contextlib.ExitStack() as places:
        for _ in range(listing.AT_ONCE):
            count.start(places)
        assert [get(running, host).status for host in ("a.example", "b.example")] == [503, 503]
    assert [get(running, host).status for host in ("a.example", "b.example")] == [200, 200]


def test_an_application_of_a_host_alone_gets_large_contents(place: Path, start: Start) -> None:
    running = start(vhost=["a.example=vhost_one:app"])
    content = bytes(300_000)
    head = f"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: {len(content)}\r\n\r\n"
    assert parse(exchange(running, head.encode() + content)).status == 200
