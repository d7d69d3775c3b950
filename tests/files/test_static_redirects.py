"""A folder asked for without its slash: the client is sent to the slash, and never to another server."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from tests.apps import plain_app
from tests.client import Client, ask, request
from tests.running import Start


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("sub", "sub/deep", "with space", "\u00e4", "a#b", "evil.example", "100%"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name, "utf-8")
    (tmp_path / "bare").mkdir()
    return tmp_path


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/sub", "sub/"),
        ("/sub/deep", "deep/"),
        ("/sub?a=b&c", "sub/?a=b&c"),
        ("/sub?//evil.example/", "sub/?//evil.example/"),
        ("/sub?", "sub/"),
        ("/sub?x=<y>", "sub/?x=%3Cy%3E"),
        ('/sub?a="{b}|c^d`e\\f', "sub/?a=%22%7Bb%7D%7Cc%5Ed%60e%5Cf"),
        ("/sub?x=%3Cy%3e&z=100%&%zz", "sub/?x=%3Cy%3e&z=100%&%zz"),
        ("/sub?a[0]=1&b=!$'()*+,;:@/?-._~", "sub/?a[0]=1&b=!$'()*+,;:@/?-._~"),
        ("/s%75b", "sub/"),
        ("/sub%2fdeep", "/sub/deep/"),
        ("/with%20space", "with%20space/"),
        ("/%C3%A4", "%C3%A4/"),
        ("/%c3%a4?%c3%a4", "%C3%A4/?%c3%a4"),
        ("/a%23b", "a%23b/"),
        ("/100%25", "100%25/"),
        ("/./sub", "/sub/"),
        ("//sub", "/sub/"),
        ("///sub///deep", "/sub/deep/"),
        ("//evil.example", "/evil.example/"),
        ("http://evil.example/sub", "/sub/"),
    ],
)
def test_a_folder_has_its_address_with_a_slash(
    start: Start, root: Path, target: str, location: str, method: str
) -> None:
    answer = ask(start(root=str(root)), target, method=method)
    assert answer.status == 301
    assert answer.fields["location"] == location
    assert bool(answer.content) is (method == "GET")


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/..",
        "//evil.example/%2e%2e",
        "//evil.example%2f..",
        "/\\evil.example",
        "/\\\\evil.example",
        "/%5cevil.example",
        "/%5c%5cevil.example",
        "/%5c/evil.example",
        "//\\evil.example",
        "/sub/..//evil.example/..",
        "/%09/evil.example",
        "/%0d%0aLocation:%20http://evil.example",
        "/http://evil.example",
    ],
)
def test_no_target_leads_to_another_server(start: Start, root: Path, target: str) -> None:
    answer = ask(start(root=str(root)), target)
    assert answer.status == 404
    assert "location" not in answer.fields


@pytest.mark.parametrize(
    "target",
    [
        "//sub",
        "//evil.example",
        "///evil.example/",
        "/evil.example",
        "//evil.example//",
        "/.//evil.example",
        "//./evil.example",
    ],
)
def test_wherever_a_folder_redirects_to_is_here(start: Start, root: Path, target: str) -> None:
    fields = ask(start(root=str(root)), target).fields
    here = "http://server.example/"
    assert urlsplit(urljoin(here, fields.get("location", "/"))).netloc == "server.example"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_folder_whose_name_is_two_lines_is_one_field(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "a\r\nX-Evil: 1"
    folder.mkdir()
    (folder / "index.html").touch()
    answer = ask(start(root=str(tmp_path)), "/a%0d%0aX-Evil:%201")
    assert answer.status == 301
    assert answer.fields["location"] == "a%0D%0AX-Evil%3A%201/"
    assert "x-evil" not in answer.fields


def test_following_it_leads_to_the_page(start: Start, root: Path) -> None:
    running = start(root=str(root))
    with Client(running) as client:
        client.send(request("/with%20space"))
        redirect = client.head()
        client.stream.read(int(redirect.fields["content-length"]))
        assert client.ask(urljoin("/with%20space", redirect.fields["location"])).content == b"with space"


@pytest.mark.parametrize("target", ["/bare", "/bare/"])
def test_a_folder_without_a_page_is_the_applications(start: Start, root: Path, target: str) -> None:
    assert ask(start(root=str(root)), target).status == 404
    assert ask(start(plain_app, root=str(root)), target).fields["x-by"] == "application"
