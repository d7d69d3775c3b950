"""Who answers: an existing file first, then the application, else the server itself; and `.py` is never a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apps import plain_app
from tests.client import Client, ask
from tests.running import Start
from tpserver.errors import RequestRefused
from tpserver.files.folder import Folder
from tpserver.files.responder import FileResponder
from tpserver.http.head import Head
from tpserver.http.section import FieldSection
from tpserver.reply import Responder
from tpserver.site.site import PageResponder, Site
from tpserver.wsgi.responder import WSGIResponder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes(b"file")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_bytes(b"page")
    (tmp_path / "prog.py").write_bytes(b"secret")
    return tmp_path


def head(method: str, target: str) -> Head:
    return Head(method, target, FieldSection({}))


FILE, APPLICATION = FileResponder, WSGIResponder
REDIRECT, OPTIONS, NOT_FOUND, METHOD, UNKNOWN = 301, 204, 404, 405, 501


@pytest.mark.parametrize(
    ("method", "target", "with_both", "with_folder", "with_application"),
    [
        ("GET", "/a.txt", FILE, FILE, APPLICATION),
        ("HEAD", "/a.txt", FILE, FILE, APPLICATION),
        ("GET", "/a.txt?x=1", FILE, FILE, APPLICATION),
        ("POST", "/a.txt", APPLICATION, METHOD, APPLICATION),
        ("OPTIONS", "/a.txt", APPLICATION, OPTIONS, APPLICATION),
        ("BREW", "/a.txt", APPLICATION, UNKNOWN, APPLICATION),
        ("GET", "/sub", REDIRECT, REDIRECT, APPLICATION),
        ("POST", "/sub", APPLICATION, METHOD, APPLICATION),
        ("GET", "/sub/", FILE, FILE, APPLICATION),
        ("GET", "/nothing", APPLICATION, NOT_FOUND, APPLICATION),
        ("GET", "/", APPLICATION, NOT_FOUND, APPLICATION),
        ("GET", "/a.txt/", APPLICATION, NOT_FOUND, APPLICATION),
        ("GET", "/prog.py", APPLICATION, NOT_FOUND, APPLICATION),
        ("GET", "/PROG.PY", APPLICATION, NOT_FOUND, APPLICATION),
        ("GET", "/time.py", APPLICATION, NOT_FOUND, APPLICATION),
        ("GET", "/../a.txt", APPLICATION, NOT_FOUND, APPLICATION),
        ("OPTIONS", "*", OPTIONS, OPTIONS, OPTIONS),
    ],
)
def test_who_answers(
    root: Path, method: str, target: str, with_both: object, with_folder: object, with_application: object
) -> None:
    folder, application = Folder(root), WSGIResponder(plain_app, "h", 80, software="test")
    neither = {"*": OPTIONS}.get(target, UNKNOWN if method == "BREW" else NOT_FOUND)
    for site, expected in [
        (Site(folder, application), with_both),
        (Site(folder, None), with_folder),
        (Site(None, application), with_application),
        (Site(None, None), neither),
    ]:
        assert who_answers(site, head(method, target)) == expected


def who_answers(site: Site, head: Head) -> object:
    """The class of the responder, or the status that the server itself answers with."""
    try:
        responder: Responder = site.find(head, 1)
    except RequestRefused as refusal:
        return refusal.status
    assert responder.runs_inline is not isinstance(responder, WSGIResponder)
    return responder._status if isinstance(responder, PageResponder) else type(responder)


def by_application(running: Any, target: str, **how: Any) -> bool:
    return ask(running, target, **how).fields.get("x-by") == "application"


def test_a_file_comes_before_the_application(start: Start, root: Path) -> None:
    running = start(plain_app, root=str(root))
    assert ask(running, "/a.txt").content == b"file"
    assert ask(running, "/b.txt").content == b"GET /b.txt "
    assert ask(running, "/sub/").content == b"page"
    assert ask(running, "/").content == b"GET / "


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_to_write_to_a_file_is_the_applications_business(start: Start, root: Path, method: str) -> None:
    running = start(plain_app, root=str(root))
    answer = ask(running, "/a.txt", method=method, content=b"content")
    assert answer.content == f"{method} /a.txt content".encode()


@pytest.mark.parametrize("target", ["/prog.py", "/PROG.PY", "/time.py", "/a/b/c.py?x=1", "/.py"])
def test_a_path_that_ends_in_py_is_always_the_applications(start: Start, root: Path, target: str) -> None:
    assert by_application(start(plain_app, root=str(root)), target)
    assert ask(start(root=str(root)), target).status == 404


@pytest.mark.parametrize("target", ["/.env", "/../x", "/%2e%2e/x", "/a%5cb", "/a.txt/"])
def test_what_may_be_no_file_is_the_applications_as_it_came(start: Start, root: Path, target: str) -> None:
    assert by_application(start(plain_app, root=str(root)), target)


def test_a_folders_missing_slash_is_added_before_the_application_is_asked(start: Start, root: Path) -> None:
    running = start(plain_app, root=str(root))
    assert ask(running, "/sub?a=b").fields["location"] == "sub/?a=b"
    assert by_application(running, "/sub", method="POST")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_server_of_nothing_finds_nothing(start: Start, method: str) -> None:
    assert ask(start(), "/", method=method).status == 404


def test_options_of_the_whole_server(start: Start, root: Path) -> None:
    assert ask(start(root=str(root)), "*", method="OPTIONS").fields["allow"] == "GET, HEAD, OPTIONS"
    with_application = ask(start(plain_app, root=str(root)), "*", method="OPTIONS")
    assert with_application.status == 204
    assert {"GET", "HEAD", "POST", "PUT", "DELETE"} <= set(with_application.fields["allow"].split(", "))


def test_files_and_application_share_a_connection(start: Start, root: Path) -> None:
    with Client(start(plain_app, root=str(root))) as client:
        for target, content in [("/a.txt", b"file"), ("/x", b"GET /x "), ("/a.txt", b"file"), ("/y", b"GET /y ")]:
            assert client.ask(target).content == content


def test_the_application_can_be_set_while_it_serves(start: Start, root: Path) -> None:
    running = start(root=str(root))
    assert ask(running, "/x").status == 404
    running.server.set_app(plain_app)
    assert by_application(running, "/x")
    running.server.set_app(None)
    assert ask(running, "/x").status == 404
    assert ask(running, "/a.txt").content == b"file"


@pytest.mark.parametrize("target", ["/100%", "/%", "/a%1", "/%zz", "/%%41"])
def test_a_percent_sign_that_begins_no_escape_is_the_applications_business(
    start: Start, root: Path, target: str
) -> None:
    assert by_application(start(plain_app, root=str(root)), target)
    assert ask(start(root=str(root)), target).status == 400


def test_a_file_with_a_percent_sign_in_its_name_is_found_as_people_write_it(start: Start, root: Path) -> None:
    (root / "100%").write_bytes(b"all")
    running = start(root=str(root))
    assert ask(running, "/100%").content == ask(running, "/100%25").content == b"all"
    assert ask(running, "/99%25").status == 404
