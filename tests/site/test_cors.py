"""--cors: scripts of other origins read files, listings, redirects and errors. --header: all answers for a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.apps import plain_app
from tests.client import Response, ask
from tests.running import Start
from tpserver.cli import parse
from tpserver.errors import UsageError

APP = "https://app.example"
ORIGIN = f"Origin: {APP}"
PREFLIGHT = (ORIGIN, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-requested-with, range")
EXPOSED = {"Content-Length", "Content-Range", "Accept-Ranges", "ETag"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    (tmp_path / "large.bin").write_bytes(bytes(300_000))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.json").write_bytes(b"{}")
    (tmp_path / "with").mkdir()
    (tmp_path / "with" / "index.html").write_bytes(b"index")
    (tmp_path / "404.html").write_bytes(b"lost")
    return tmp_path


# Every kind of answer: method, target, fields, status.
ANSWERS = [
    ("GET", "/a.txt", [], 200),
    ("HEAD", "/a.txt", [], 200),
    ("GET", "/large.bin", [], 200),
    ("GET", "/a.txt", ["Range: bytes=0-3"], 206),
    ("GET", "/large.bin", ["Range: bytes=0-3,10-20"], 206),
    ("GET", "/a.txt", ["If-None-Match: *"], 304),
    ("GET", "/a.txt", ["Range: bytes=10-"], 416),
    ("GET", "/with/", ["Range: bytes=10-"], 416),
    ("GET", "/a.txt", ['If-Match: "other"'], 412),
    ("GET", "/nothing", [], 404),
    ("GET", "/nothing", ["Accept: text/html"], 404),
    ("GET", "/../a.txt", [], 404),
    ("GET", "/%zz", [], 400),
    ("POST", "/a.txt", [], 405),
    ("OPTIONS", "/a.txt", [], 204),
    ("GET", "/folder", [], 301),
    ("GET", "/with", [], 301),
    ("GET", "/folder/", [], 200),
    ("GET", "/folder/", ["Accept: application/json"], 200),
    ("GET", "/folder/", ['If-Match: "other"'], 412),
    ("GET", "/folder/?archive=zip", [], 200),
    ("BREW", "/a.txt", [], 501),
]


@pytest.mark.parametrize(("method", "target", "fields", "status"), ANSWERS)
def test_every_answer_is_marked_for_all_origins(
    root: Path, start: Start, method: str, target: str, fields: list[str], status: int
) -> None:
    running = start(root=root, archive=True, error_page=["404=404.html"], cors=["*"])
    for _ in range(2):  # the second may be ready
        answer = ask(running, target, ORIGIN, *fields, method=method)
        assert (answer.status, answer["access-control-allow-origin"]) == (status, "*")
        assert set(answer["access-control-expose-headers"].split(", ")) > EXPOSED
        assert "Origin" not in answer.all("vary")


@pytest.mark.parametrize(("method", "target", "fields", "status"), ANSWERS)
def test_only_the_named_origins_are_let_in_and_caches_know(
    root: Path, start: Start, method: str, target: str, fields: list[str], status: int
) -> None:
    running = start(root=root, archive=True, error_page=["404=404.html"], cors=["https://one.example", APP])
    for lines, allowed in (([ORIGIN], [APP]), (["Origin: https://evil.example"], []), ([], []), ([ORIGIN], [APP])):
        answer = ask(running, target, *lines, *fields, method=method)
        assert (answer.status, answer.all("access-control-allow-origin")) == (status, allowed)
        assert answer.all("vary").count("Origin") == 1
        assert len(answer.all("access-control-expose-headers")) == len(allowed)


def test_the_content_of_a_file_is_whole_behind_the_marks(root: Path, start: Start) -> None:
    running = start(root=root, cors=[APP])
    for _ in range(2):
        answer = ask(running, "/a.txt", ORIGIN)
        assert (answer.content, answer["content-length"]) == (b"0123456789", "10")
    assert ask(running, "/large.bin", ORIGIN).content == bytes(300_000)


@pytest.mark.parametrize("target", ["/a.txt", "/folder/", "/nothing"])
@pytest.mark.parametrize("cors", ["*", APP])
def test_a_preflight_is_answered(root: Path, start: Start, target: str, cors: str) -> None:
    answer = ask(start(root=root, cors=[cors]), target, *PREFLIGHT, method="OPTIONS")
    assert (answer.status, answer.content) == (204, b"")
    assert answer["access-control-allow-origin"] == cors
    assert answer["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert answer["access-control-allow-headers"] == "x-requested-with, range"
    assert int(answer["access-control-max-age"]) > 0


def test_a_preflight_of_another_origin_is_told_nothing(root: Path, start: Start) -> None:
    lines = ("Origin: https://evil.example", "Access-Control-Request-Method: GET")
    answer = ask(start(root=root, cors=[APP]), "/a.txt", *lines, method="OPTIONS")
    assert answer.status == 204
    assert not any(name.lower().startswith("access-control") for name, _ in answer.lines)


def test_an_applications_answers_are_its_own(root: Path, start: Start) -> None:
    running = start(plain_app, root=root, cors=["*"])
    assert not ask(running, "/from/the/application", ORIGIN).all("access-control-allow-origin")
    own = ask(running, "/from/the/application", *PREFLIGHT, method="OPTIONS")
    assert own["x-by"] == "application"
    assert not own.all("access-control-allow-origin")
    assert ask(running, "/a.txt", ORIGIN)["access-control-allow-origin"] == "*"
    preflight = ask(running, "/a.txt", *PREFLIGHT, method="OPTIONS")
    assert (preflight.status, preflight["access-control-allow-headers"]) == (204, "x-requested-with, range")
    assert ask(running, "/a.txt", ORIGIN, method="OPTIONS")["x-by"] == "application"


def test_without_the_option_there_are_no_marks(root: Path, start: Start) -> None:
    answer = ask(start(root=root), "/a.txt", ORIGIN)
    assert not any(name.lower().startswith("access-control") for name, _ in answer.lines)


def test_the_page_of_a_single_page_application_is_marked(root: Path, start: Start) -> None:
    def missing(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("404 Not Found", [("Content-Length", "0")])
        return []

    for running in (
        start(root=root, spa="404.html", cors=["*"]),
        start(missing, root=root, spa="404.html", cors=["*"]),
    ):
        answer = ask(running, "/route", ORIGIN, "Accept: text/html")
        assert (answer.status, answer.content, answer["access-control-allow-origin"]) == (200, b"lost", "*")


@pytest.mark.parametrize(
    ("arguments", "cors", "root"),
    [
        (["--cors"], ("*",), None),
        (["--cors", "."], ("*",), "."),
        ([".", "--cors"], ("*",), "."),
        (["--cors", "--listing"], ("*",), None),
        (["--cors", "*"], ("*",), None),
        (["--cors", APP, "."], (APP,), "."),
        (["--cors", APP, "--cors=http://localhost:3000"], (APP, "http://localhost:3000"), None),
    ],
)
def test_the_origin_may_be_left_out(arguments: list[str], cors: tuple[str, ...], root: str | None) -> None:
    config = parse(arguments)
    assert (config.cors, config.root) == (cors, root)


def test_what_is_no_origin_is_said_at_the_start(root: Path, start: Start) -> None:
    with pytest.raises(UsageError, match="'https://a/b' is no origin"):
        parse(["--cors", "https://a/b"])
    with pytest.raises(UsageError, match="--header sets Access-Control-Allow-Origin, and so does --cors"):
        start(root=root, cors=["*"], header=["*=Access-Control-Allow-Origin: *"])


@pytest.mark.parametrize(("method", "target", "fields", "status"), ANSWERS)
def test_header_is_about_every_answer_for_a_path(
    root: Path, start: Start, method: str, target: str, fields: list[str], status: int
) -> None:
    rules = ["**=X-One: 1", "**=Cross-Origin-Opener-Policy: same-origin", "**=Cache-Control: no-store"]
    running = start(root=root, archive=True, error_page=["404=404.html"], header=rules)
    for _ in range(2):
        answer = ask(running, target, *fields, method=method)
        assert (answer.status, answer["x-one"]) == (status, "1")
        assert (answer["cross-origin-opener-policy"], answer["cache-control"]) == ("same-origin", "no-store")


def test_header_is_about_the_paths_that_its_glob_takes(root: Path, start: Start) -> None:
    running = start(root=root, listing=True, header=["folder/**=X-One: 1", "*.txt=X-Two: 2", "*.html=X-Three: 3"])

    def found(answer: Response) -> set[str]:
        return {"x-one", "x-two", "x-three"} & answer.fields.keys()

    for target in ("/folder/", "/folder/none", "/folder/./none", "//folder//b.json", "/%66older/none"):
        assert found(ask(running, target)) == {"x-one"}
    assert found(ask(running, "/folder")) == set()  # the folder is not below itself
    assert found(ask(running, "/none.txt")) == {"x-two"}
    assert found(ask(running, "/folder/none.txt")) == {"x-one", "x-two"}
    assert found(ask(running, "/")) == set()
    assert found(ask(running, "/with/", "Range: bytes=100-")) == {"x-three"}  # by the path of the index


def test_header_is_about_the_address_of_a_single_page_application(root: Path, start: Start) -> None:
    rules = ["admin/**=X-One: 1", "*.html=X-One: 2", "*.html=X-Two: 2"]
    running = start(root=root, spa="404.html", header=rules)
    for target, one in (("/admin/users", "1"), ("/other", "2"), ("/admin/users", "1")):
        answer = ask(running, target, "Accept: text/html")
        assert (answer.status, answer["x-one"], answer["x-two"]) == (200, one, "2")
        assert "Accept" in answer.all("vary")


def test_a_policy_of_ones_own_does_not_weaken_that_of_the_listing(root: Path, start: Start) -> None:
    answer = ask(start(root=root, listing=True, header=["**=Content-Security-Policy: default-src *"]), "/folder/")
    assert len(answer.all("content-security-policy")) == 2  # a browser obeys both
