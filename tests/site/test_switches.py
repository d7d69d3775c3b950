"""What is shown of a folder, and how, by switch: --dot-files, --py-files, --hide, --no-sendfile, --server-header."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.apps import plain_app
from tests.client import ask
from tests.files.links import link
from tests.running import Start
from tpserver.errors import UsageError
from tpserver.run import make_server

HIDDEN = (".zarray", ".git/config", "data/.zgroup", "..data/a.txt", ".treeinfo")
JSON = "Accept: application/json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for path in (
        *HIDDEN,
        "main.py",
        "data/old.PY",
        "data/a.txt",
        "private/key.pem",
        "private/deep/b.txt",
        "app.js.map",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path, "utf-8")
    (tmp_path / "secret.txt").write_text("outside", "utf-8")
    return root


def names(running: Any, target: str = "/") -> set[str]:
    return {entry["name"] for entry in json.loads(ask(running, target, JSON).content)}


def archived(running: Any, target: str = "/") -> set[str]:
    with zipfile.ZipFile(io.BytesIO(ask(running, f"{target}?archive=zip").content)) as archive:
        return set(archive.namelist())


# -- --dot-files


@pytest.mark.parametrize("path", HIDDEN)
def test_files_with_a_dot_in_front_are_served_by_switch_only(start: Start, root: Path, path: str) -> None:
    assert ask(start(root=root), f"/{path}").status == 404
    answer = ask(start(root=root, dot_files=True), f"/{path}")
    assert (answer.status, answer.content) == (200, path.encode())


def test_they_are_listed_and_archived_then(start: Start, root: Path) -> None:
    plain, running = start(root=root, archive=True), start(root=root, archive=True, dot_files=True)
    assert names(plain) == {"data", "private", "app.js.map"}
    assert names(running) == {"data", "private", "app.js.map", ".zarray", ".git", "..data", ".treeinfo"}
    assert names(running, "/.git/") == {"config"}
    assert ".git/config" in archived(running)
    assert ".git/config" not in archived(plain)


def test_a_link_to_one_follows_the_same_switch(start: Start, root: Path) -> None:
    link(root / "link.txt", Path(".zarray"))
    assert ask(start(root=root), "/link.txt").status == 404
    assert ask(start(root=root, dot_files=True), "/link.txt").content == b".zarray"


@pytest.mark.parametrize(
    "target", ["/../secret.txt", "/%2e%2e/secret.txt", "/data/../../secret.txt", "/..%2Fsecret.txt", "/data/.."]
)
def test_no_path_leads_out_of_the_root_by_dots(start: Start, root: Path, target: str) -> None:
    assert ask(start(root=root, dot_files=True, listing=True), target).status == 404


def test_dot_segments_are_still_dropped(start: Start, root: Path) -> None:
    assert ask(start(root=root, dot_files=True), "/./data/./a.txt").content == b"data/a.txt"


# -- --py-files


def test_python_files_are_served_by_switch_only(start: Start, root: Path) -> None:
    assert ask(start(root=root), "/main.py").status == 404
    running = start(root=root, py_files=True, listing=True)
    answer = ask(running, "/main.py")
    assert (answer.content, answer.fields["content-type"]) == (b"main.py", "text/x-python; charset=utf-8")
    assert ask(running, "/data/old.PY").content == b"data/old.PY"
    assert "main.py" in names(running)
    assert "old.PY" in names(running, "/data/")
    assert "main.py" not in names(start(root=root, listing=True))


def test_beside_an_application_they_are_never_sent(start: Start, root: Path) -> None:
    running = start(plain_app, root=root, py_files=True, archive=True)
    assert ask(running, "/main.py").content == b"GET /main.py "
    assert "main.py" not in names(running)
    assert "main.py" not in archived(running)
    link(root / "main.txt", Path("main.py"))
    assert ask(running, "/main.txt").content != b"main.py"


def test_each_folder_is_told_by_its_own_application(
    start: Start, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "switch_site.py").write_text("from tests.apps import plain_app as app\n", "utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    running = start(
        root=root, app_dir=str(tmp_path), py_files=True,
        mount=[f"/files={root}", "/api=switch_site:app"],
        vhost=[f"a.example={root}", "a.example=switch_site:app", f"b.example={root}"],
    )  # fmt: skip
    assert ask(running, "/main.py").content == b"main.py"
    assert ask(running, "/files/main.py").content == b"main.py"
    assert ask(running, "/main.py", host="a.example").content != b"main.py"
    assert ask(running, "/main.py", host="b.example").content == b"main.py"


def test_an_application_that_is_set_later_ends_it(start: Start, root: Path) -> None:
    running = start(root=root, py_files=True)
    assert ask(running, "/main.py").content == b"main.py"
    running.server.set_app(plain_app)
    assert ask(running, "/main.py").content != b"main.py"


# -- --hide


@pytest.mark.parametrize(
    ("globs", "target"),
    [
        (["*.map"], "/app.js.map"),
        (["private"], "/private/key.pem"),
        (["private/"], "/private/deep/b.txt"),
        (["/private"], "/private/"),
        (["/private/**"], "/private/key.pem"),
        (["*.pem"], "/private/key.pem"),
        (["deep"], "/private/deep/b.txt"),
        (["**/deep/*"], "/private/deep/b.txt"),
        (["PRIVATE"], "/private/key.pem"),
        (["private"], "/%70rivate/./key.pem"),
        (["none", "*.txt"], "/data/a.txt"),
    ],
)
def test_what_is_hidden_is_not_found(start: Start, root: Path, globs: list[str], target: str) -> None:
    assert ask(start(root=root, listing=True), target).status == 200
    assert ask(start(root=root, listing=True, hide=globs), target).status == 404


def test_what_is_not_hidden_is_found(start: Start, root: Path) -> None:
    running = start(root=root, hide=["/deep", "/data/*.map", "a"])
    assert ask(running, "/private/deep/b.txt").status == 200
    assert ask(running, "/app.js.map").status == 200
    assert ask(running, "/data/a.txt").status == 200


def test_listings_and_archives_leave_it_out(start: Start, root: Path) -> None:
    running = start(root=root, archive=True, hide=["private", "*.map", "/data/a.txt"])
    assert names(running) == {"data"}
    assert names(running, "/data/") == set()
    assert archived(running) == {"data/"}
    assert b"private" not in ask(running, "/", "Accept: text/html").content
    assert b"private" not in ask(running, "/", "Accept: text/plain").content


def test_no_link_leads_to_it(start: Start, root: Path) -> None:
    link(root / "pub", Path("private"))
    link(root / "key.txt", Path("private/key.pem"))
    link(root / "shown", Path("data"))
    running = start(root=root, archive=True, hide=["/private", "/data/a.txt", "/shown/old.PY"])
    for target in ("/pub/key.pem", "/key.txt", "/shown/a.txt", "/pub/"):
        assert ask(running, target).status == 404, target
    assert names(running) == {"app.js.map", "data", "shown"}
    assert names(running, "/shown/") == set()
    assert {name for name in archived(running) if name.endswith((".txt", ".pem"))} == set()


@pytest.mark.parametrize("name", ["app.map.gz", "app.map.br", "app.map.ZST"])
def test_coded_files_are_hidden_as_the_plain_ones_beside_them(start: Start, root: Path, name: str) -> None:
    (root / name).write_bytes(b"x")
    running = start(root=root, listing=True, hide=["*.map"])
    assert ask(running, f"/{name}").status == 404
    assert name not in ask(running, "/", "Accept: text/plain").content.decode().split()


def test_globs_that_hide_match_the_whole_path_of_a_mount(start: Start, root: Path) -> None:
    running = start(mount=[f"/files={root}"], listing=True, hide=["/files/private", "/data"])
    assert ask(running, "/files/private/key.pem").status == 404
    assert "private" not in names(running, "/files/")
    assert ask(running, "/files/data/a.txt").status == 200


def test_what_is_hidden_is_the_applications_to_answer(start: Start, root: Path) -> None:
    running = start(plain_app, root=root, hide=["*.map"])
    answer = ask(running, "/app.js.map")
    assert answer.status == 200
    assert answer.content != b"app.js.map"


def test_a_hidden_coded_file_is_not_sent_for_another(start: Start, root: Path) -> None:
    (root / "a.css").write_bytes(b"x" * 1000)
    (root / "a.css.gz").write_bytes(b"\x1f\x8b" + b"y" * 10)
    answer = ask(start(root=root, hide=["*.gz"], compress="sidecars"), "/a.css", "Accept-Encoding: gzip")
    assert (answer.content, "content-encoding" in answer.fields) == (b"x" * 1000, False)


@pytest.mark.parametrize("glob", ["", "/", "a//b", "a/**b"])
def test_a_malformed_glob_is_refused(glob: str) -> None:
    with pytest.raises(UsageError, match="--hide"):
        make_server(port=0, hide=[glob])


# -- --no-sendfile


@pytest.mark.parametrize("no_sendfile", [False, True])
def test_a_large_file_is_sent_without_sendfile_by_switch(
    start: Start, root: Path, monkeypatch: pytest.MonkeyPatch, no_sendfile: bool
) -> None:
    content = os.urandom(3_000_000)
    (root / "large.bin").write_bytes(content)
    calls = []
    real = getattr(os, "sendfile", None)
    if real is None:
        pytest.skip("this system has no sendfile()")

    def sendfile(*arguments: Any) -> int:
        calls.append(arguments)
        sent: int = real(*arguments)
        return sent

    monkeypatch.setattr(os, "sendfile", sendfile)
    running = start(root=root, no_sendfile=no_sendfile)
    assert ask(running, "/large.bin").content == content
    assert ask(running, "/large.bin", "Range: bytes=1000000-2000000").content == content[1_000_000:2_000_001]
    assert bool(calls) is not no_sendfile


# -- --server-header


def fields_of_all(running: Any) -> list[dict[str, str]]:
    return [ask(running, target).fields for target in ("/data/a.txt", "/none", "/data", "/data/", "/app")]


@pytest.mark.parametrize("application", [None, plain_app])
def test_the_server_field_is_what_is_given_or_none(start: Start, root: Path, application: Any) -> None:
    for fields in fields_of_all(start(application, root=root, listing=True)):
        assert fields["server"].startswith("tpserver/")
    for fields in fields_of_all(start(application, root=root, listing=True, server_header="Web 1 (x)")):
        assert fields["server"] == "Web 1 (x)"
    for fields in fields_of_all(start(application, root=root, listing=True, server_header="none")):
        assert "server" not in fields
        assert "date" in fields


@pytest.mark.parametrize("value", ["tpserver", "none"])
def test_an_applications_own_fields_come_once(start: Start, value: str) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Server", "mine"), ("Date", "Mon, 01 Jan 2024 00:00:00 GMT")])
        return [b"x"]

    answer = ask(start(app, server_header=value, server_timing=True), "/")
    assert answer.all("server") == ["mine"]
    assert answer.all("date") == ["Mon, 01 Jan 2024 00:00:00 GMT"]
    assert "server-timing" in answer.fields


@pytest.mark.parametrize("value", ["", " ", "a\r\nX: 1", "ü", "a\0", "x" * 300])
def test_a_value_that_is_no_field_value_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="--server-header"):
        make_server(port=0, server_header=value)
