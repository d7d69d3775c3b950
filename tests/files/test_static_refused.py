"""What is never sent: names that begin with a dot, programs, and anything outside the folder, however it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.apps import plain_app
from tests.client import ask
from tests.files.links import link
from tests.running import Start

SECRET = b"TOP SECRET"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of files, with secrets in it, above it, and in one beside it whose name begins alike."""
    root = tmp_path / "html"
    for path in (
        "html/secret.py",
        "html/SECRET.PY",
        "html/index.py",
        "html/.secret",
        "html/.git/config",
        "html/sub/.htpasswd",
        "html/.well-known/.secret",
        "html/.well-known.bak/x",
        "html/..secret",
        *([] if os.name == "nt" else ["html/.../x"]),  # Windows takes dots off the end of a name
        "secret.txt",
        "html-secret/secret.txt",
        "htm/secret.txt",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(SECRET)
    (root / "index.html").write_bytes(b"home")
    (root / "sub" / "a.txt").write_bytes(b"text")
    (root / ".well-known" / "security.txt").write_bytes(b"Contact: somebody")
    return root


def check_refused(start: Start, root: Path, target: str, status: int = 404) -> None:
    answer = ask(start(root=str(root)), target)
    assert SECRET not in answer.content
    assert answer.status == status


@pytest.mark.parametrize(
    "target",
    [
        "/.secret",
        "/%2esecret",
        "/.git/config",
        "/.git",
        "/.git/",
        "/sub/.htpasswd",
        "/sub/%2ehtpasswd",
        "/.well-known/.secret",
        "/.well-known.bak/x",
        "/..secret",
        "/.../x",
        "//.secret",
    ],
)
def test_a_name_that_begins_with_a_dot_is_not_there(start: Start, root: Path, target: str) -> None:
    check_refused(start, root, target)


def test_well_known_addresses_are_served(start: Start, root: Path) -> None:
    running = start(root=str(root))
    assert ask(running, "/.well-known/security.txt").content == b"Contact: somebody"
    assert ask(running, "/%2ewell-known/security.txt").content == b"Contact: somebody"


@pytest.mark.parametrize(
    "target",
    [
        "/secret.py",
        "/SECRET.PY",
        "/secret%2epy",
        "/secret.p%79",
        "/index.py",
        "//secret.py",
        "/secret.py?a",
        "/sub/../secret.py",
    ],
)
def test_a_program_is_not_sent_but_asked(start: Start, root: Path, target: str) -> None:
    check_refused(start, root, target)
    answer = ask(start(plain_app, root=str(root)), target)
    assert answer.fields["x-by"] == "application"


@pytest.mark.parametrize("target", ["/secret.py/", "/secret.py/x", "/secret.py%20", "/secret.py.", "/secret.py%00"])
def test_a_program_is_not_sent_under_a_name_like_its_own(start: Start, root: Path, target: str) -> None:
    check_refused(start, root, target, 400 if "%00" in target else 404)


@pytest.mark.parametrize("name", ["x.txt", "sub/index.html"])
def test_a_program_is_not_sent_by_a_link_of_another_name(start: Start, root: Path, name: str) -> None:
    link(root / name, os.path.relpath(root / "secret.py", (root / name).parent))
    check_refused(start, root, "/" + name)
    check_refused(start, root, "/sub/")
    assert ask(start(plain_app, root=str(root)), "/" + name).fields["x-by"] == "application"


def test_a_folder_may_be_named_like_a_program(start: Start, root: Path) -> None:
    (root / "lib.py").mkdir()
    (root / "lib.py" / "index.html").write_bytes(b"about it")
    running = start(root=str(root))
    assert ask(running, "/lib.py/").content == b"about it"
    assert ask(running, "/lib.py").status == 404


TRAVERSALS = [
    "/../{}",
    "/..%2f{}",
    "/..%2F{}",
    "/%2e%2e/{}",
    "/%2E%2E/{}",
    "/%2e%2e%2f{}",
    "/.%2e/{}",
    "/%2e./{}",
    "//../{}",
    "/./../{}",
    "/../../../../../../{}",
    "/sub/../../{}",
    "/sub/..%2f..%2f{}",
    "/sub/%2e%2e/%2e%2e/{}",
    "/sub//..//..//{}",
    "/nothing/../../{}",
    "/..;/{}",
    "/..\\{}",
    "/..%5c{}",
    "/..%5C{}",
    "/%2e%2e%5c{}",
    "/sub/..\\..\\{}",
    "/..%252f{}",
    "/%252e%252e/{}",
    "/%252e%252e%252f{}",
    "/..%255c{}",
    "/..%c0%af{}",
    "/%c0%ae%c0%ae/{}",
    "/..%e0%80%af{}",
    "/%ef%bc%8e%ef%bc%8e/{}",
    "/.../{}",
    "/..../{}",
    "/.. /{}",
    "/..%20/{}",
    "/..%09/{}",
    "/~/{}",
]


@pytest.mark.parametrize("spelling", TRAVERSALS)
@pytest.mark.parametrize("secret", ["secret.txt", "html-secret/secret.txt", "htm/secret.txt"])
def test_nothing_above_the_folder_is_there(start: Start, root: Path, spelling: str, secret: str) -> None:
    target = spelling.format(secret)
    check_refused(start, root, target, 400 if " " in target else 404)


@pytest.mark.parametrize(
    "target", ["/%00", "/..%00/secret.txt", "/%00/../../secret.txt", "/secret.txt%00.html", "/sub/a.txt%00"]
)
def test_nul_in_a_path_is_refused(start: Start, root: Path, target: str) -> None:
    check_refused(start, root, target, 400)


def test_an_absolute_path_is_a_path_below_the_folder(start: Start, root: Path) -> None:
    outside = (root.parent / "secret.txt").as_posix().lstrip("/")
    for target in (f"//{outside}", f"/%2f{outside}", f"/{outside}", f"/file:///{outside}", f"/C:/{outside}"):
        check_refused(start, root, target)
    check_refused(start, root, f"file:///{outside}", 400)


@pytest.mark.parametrize("target", ["/sub/../index.html", "/sub/%2e%2e/index.html", "/./../index.html"])
def test_two_dots_are_not_resolved_even_where_they_stay_inside(start: Start, root: Path, target: str) -> None:
    check_refused(start, root, target)


def test_what_exists_outside_cannot_be_told_from_what_does_not(start: Start, root: Path) -> None:
    link(root / "there.txt", "../secret.txt")
    link(root / "not-there.txt", "../nothing.txt")
    running = start(root=str(root))
    answers = [ask(running, target) for target in ("/there.txt", "/not-there.txt", "/../secret.txt", "/../nothing.txt")]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize(
    "target", ["/./index.html", "/././index.html", "/sub/./../index.html", "/sub/%2e/a.txt", "/sub/."]
)
def test_a_path_with_a_single_dot_is_the_path_without_it(start: Start, root: Path, target: str) -> None:
    """As browsers, apt and rclone see it (RFC 3986 section 5.2.4)."""
    (root / "sub" / "index.html").write_bytes(b"index of sub")
    running = start(root=str(root))
    plain = target.replace("%2e", ".").replace("/./", "/").replace("/./", "/")
    plain = plain[:-1] if plain.endswith("/.") else plain
    assert ask(running, target).status == ask(running, plain).status
    assert ask(running, target).content == ask(running, plain).content


@pytest.mark.parametrize("target", ["/sub/a.txt/.", "/sub/a.txt/./", "/index.html/%2e"])
def test_a_dot_behind_a_file_does_not_name_the_file(start: Start, root: Path, target: str) -> None:
    check_refused(start, root, target)


@pytest.mark.parametrize("target", ["/./prog.py", "/prog.py/.", "/./.env", "/sub/./.env"])
def test_a_dot_in_front_reveals_no_hidden_file(start: Start, root: Path, target: str) -> None:
    (root / "prog.py").write_bytes(b"secret")
    (root / ".env").write_bytes(b"secret")
    (root / "sub" / ".env").write_bytes(b"secret")
    answer = ask(start(root=str(root)), target)
    assert answer.status == 404
    assert b"secret" not in answer.content
