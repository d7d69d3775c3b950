"""--auth: what is below a protected path is answered to its users, and to no one else."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.apps import plain_app
from tests.client import Client, ask, request
from tests.clock import Clock
from tests.files.links import link
from tests.logged import errors
from tests.running import Start
from tests.waiting import until
from tpserver import make_server
from tpserver.errors import UsageError
from tpserver.http import basic_auth

SECRET = b"the secret"


def line(user: str, password: str) -> str:
    """A line for a file of users, with a hash that takes no time."""
    key = hashlib.scrypt(password.encode(), salt=b"s" * 16, n=2, r=8, p=1, dklen=32)
    return f"{user}:scrypt$2$8$1${b64encode(b's' * 16).decode()}${b64encode(key).decode()}\n"


def basic(user: str, password: str) -> str:
    return "Authorization: Basic " + b64encode(f"{user}:{password}".encode()).decode()


ANN = basic("ann", "right")
BOB = basic("bob", "right")


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.txt"
    path.write_text(line("ann", "right"), "utf-8")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "admin" / "sub").mkdir(parents=True)
    (root / "public").mkdir()
    (root / "admin" / "secret.txt").write_bytes(SECRET)
    (root / "admin" / "large.bin").write_bytes(SECRET + bytes(200_000))
    (root / "admin" / "app.3f2a9c1b.js").write_bytes(SECRET)
    (root / "admin" / "sub" / "index.html").write_bytes(SECRET)
    (root / "public" / "a.txt").write_bytes(b"public")
    (root / "public" / "a.key").write_bytes(SECRET)
    return root


PROTECTED = [
    "/admin", "/admin/", "/admin/secret.txt", "/admin/large.bin", "/admin/none", "/admin/sub", "/admin/sub/",
    "/admin/?archive=zip", "//admin//secret.txt", "/./admin/./secret.txt", "/%61dmin/secret.txt", "/admin%2fsecret.txt",
    "/ADMIN/secret.txt", "/public/../admin/secret.txt", "/admin/../admin/secret.txt", "/admin/%2e/secret.txt",
    "http://server.example/admin/secret.txt", "/public/a.key", "/public/a.KEY", "/admin/secret.txt?x",
]  # fmt: skip


@pytest.mark.parametrize("target", PROTECTED)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "BREW"])
@pytest.mark.parametrize("application", [None, plain_app])
def test_nothing_that_is_protected_is_answered_without_a_password(
    root: Path, users: Path, start: Start, target: str, method: str, application: Any
) -> None:
    running = start(application, root=root, archive=True, auth=[f"admin/**={users}", f"*.key={users}"])
    for fields in ([], [basic("ann", "wrong")], [basic("eve", "right")], ["Authorization: Bearer x"]):
        for _ in range(2):
            answer = ask(running, target, *fields, method=method)
            assert answer.status == 401
            assert answer["www-authenticate"] == 'Basic realm="Restricted", charset="UTF-8"'
            assert not answer.all("x-by")
            assert SECRET not in answer.content
            assert "private" in answer["cache-control"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/admin", 301), ("/admin/", 200), ("/admin/secret.txt", 200), ("/admin/large.bin", 200), ("/admin/none", 404),
        ("/admin/sub/", 200), ("/admin/?archive=zip", 200), ("/public/a.key", 200),
    ],
)  # fmt: skip
def test_a_user_gets_everything_and_shared_caches_nothing(
    root: Path, users: Path, start: Start, target: str, status: int
) -> None:
    running = start(root=root, archive=True, auth=[f"admin/**={users}", f"*.key={users}"])
    for _ in range(3):
        answer = ask(running, target, ANN)
        assert answer.status == status
        assert "private" in answer["cache-control"]
        assert "public" not in answer["cache-control"]


def test_what_is_not_protected_is_answered_to_all(root: Path, users: Path, start: Start) -> None:
    running = start(root=root, listing=True, auth=[f"admin/**={users}"])
    for fields in ([], [ANN], [basic("ann", "wrong")]):
        answer = ask(running, "/public/a.txt", *fields)
        assert (answer.status, answer.content, answer.all("cache-control")) == (200, b"public", [])
    assert ask(running, "/none").status == 404
    assert ask(running, "*", method="OPTIONS").status == 204


def test_parts_and_validators_of_protected_files(root: Path, users: Path, start: Start) -> None:
    running = start(root=root, auth=[f"admin/**={users}"])
    assert ask(running, "/admin/secret.txt", "Range: bytes=0-3").status == 401
    for _ in range(2):
        part = ask(running, "/admin/secret.txt", ANN, "Range: bytes=0-2")
        assert (part.status, part.content) == (206, b"the")
    whole = ask(running, "/admin/app.3f2a9c1b.js", ANN)
    assert whole["cache-control"] == "private, max-age=31536000, immutable"
    known = f"If-None-Match: {whole['etag']}"
    assert ask(running, "/admin/app.3f2a9c1b.js", known).status == 401
    assert ask(running, "/admin/app.3f2a9c1b.js", ANN, known).status == 304


def test_a_file_is_protected_by_its_own_path_too(root: Path, users: Path, start: Start) -> None:
    (root / "index.html").write_bytes(SECRET)
    (root / "page.html").write_bytes(SECRET)
    link(root / "public" / "link.txt", root / "admin" / "secret.txt")
    running = start(root=root, try_html=True, spa="page.html", auth=[f"*.html={users}", f"admin={users}"])
    for target in ("/", "/page", "/admin/sub/", "/public/link.txt"):
        assert ask(running, target).status == 401
        assert ask(running, target, ANN).content == SECRET
    assert ask(running, "/route", "Accept: text/html").status == 401
    assert ask(running, "/route", "Accept: text/html", ANN).content == SECRET


def test_the_page_behind_an_application_is_protected(root: Path, users: Path, start: Start) -> None:
    def missing(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("404 Not Found", [("Content-Length", "0")])
        return []

    (root / "page.html").write_bytes(SECRET)
    running = start(missing, root=root, spa="page.html", auth=[f"*.html={users}"])
    assert ask(running, "/route", "Accept: text/html").status == 401
    for _ in range(2):
        assert ask(running, "/route", "Accept: text/html", ANN).content == SECRET


def test_listings_and_archives_leave_out_what_is_for_others(root: Path, users: Path, start: Start) -> None:
    link(root / "public" / "link.txt", root / "admin" / "secret.txt")
    running = start(root=root, archive=True, auth=[f"admin/**={users}", f"*.key={users}"])

    def listed(target: str, *fields: str) -> list[str]:
        return [
            entry["name"] for entry in json.loads(ask(running, target, "Accept: application/json", *fields).content)
        ]

    assert listed("/") == ["public"]
    assert listed("/public/") == ["a.txt"]
    assert "secret.txt" in listed("/admin/", ANN)
    with Client(running) as client:
        client.send(request("/?archive=zip"))
        data = client.response().content
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["public/", "public/a.txt"]


@pytest.mark.parametrize("target", ["/alias/sub/", "/alias/sub/?archive=zip", "/alias/sub/b.txt"])
def test_a_folder_behind_a_link_is_protected_by_its_own_path_too(
    root: Path, users: Path, start: Start, target: str
) -> None:
    (root / "admin" / "sub" / "index.html").unlink()
    (root / "admin" / "sub" / "b.txt").write_bytes(SECRET)
    link(root / "alias", "admin")
    running = start(root=root, archive=True, auth=[f"admin/**={users}"])
    assert ask(running, target, "Accept: text/plain").status == 401
    with Client(running) as client:
        client.send(request(target, ANN))
        assert client.response().status == 200


@pytest.mark.parametrize("name", ["secret.txt.gz", "secret.txt.br", "SECRET.TXT.ZST"])
def test_a_coded_file_is_protected_as_the_plain_one_beside_it(root: Path, users: Path, start: Start, name: str) -> None:
    (root / "admin" / name).write_bytes(SECRET)
    running = start(root=root, listing=True, auth=[f"admin/secret.txt={users}"])
    assert ask(running, f"/admin/{name}").status == 401
    assert ask(running, f"/admin/{name}", ANN).content == SECRET
    assert name not in ask(running, "/admin/", "Accept: text/plain").content.decode().split()


def test_an_application_is_told_the_user(users: Path, start: Start) -> None:
    def told(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        names = ("REMOTE_USER", "AUTH_TYPE", "HTTP_AUTHORIZATION")
        content = json.dumps([environ.get(name) for name in names]).encode()
        start_response("200 OK", [("Content-Length", str(len(content)))])
        return [content]

    users.write_text(line("ann", "right") + line("zo\u00e9", "right"), "utf-8")
    running = start(told, auth=[f"app={users}"])
    assert json.loads(ask(running, "/open").content) == [None, None, None]
    assert json.loads(ask(running, "/open", ANN).content)[:2] == [None, None]
    for _ in range(3):
        value = ANN.partition(": ")[2]
        assert json.loads(ask(running, "/app/x", ANN).content) == ["ann", "Basic", value]
        zoe = json.loads(ask(running, "/app/x", basic("zo\u00e9", "right")).content)
        assert zoe[0].encode("latin-1").decode() == "zo\u00e9"


def test_each_rule_has_its_users_and_the_last_one_decides(
    root: Path, users: Path, start: Start, tmp_path: Path
) -> None:
    others = tmp_path / "others.txt"
    others.write_text(line("bob", "right"), "utf-8")
    running = start(root=root, auth=[f"**={users}", f"admin={others}"])
    assert [ask(running, "/public/a.txt", fields).status for fields in (ANN, BOB)] == [200, 401]
    assert [ask(running, "/admin/secret.txt", fields).status for fields in (ANN, BOB)] == [401, 200]
    realms = {ask(running, target)["www-authenticate"] for target in ("/public/a.txt", "/admin/secret.txt")}
    assert len(realms) == 2


def test_users_are_read_again_when_their_file_changes(
    root: Path, users: Path, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(monkeypatch)
    running = start(root=root, auth=[f"admin={users}"])
    assert ask(running, "/admin/secret.txt", ANN).status == 200
    users.write_text(line("ann", "other") + line("bob", "right"), "utf-8")
    clock.advance(running, 2)
    assert [ask(running, "/admin/secret.txt", fields).status for fields in (ANN, BOB)] == [401, 200]
    users.write_text(line("ann", "right") + "bob:hunter2", "utf-8")
    clock.advance(running, 2)
    assert [ask(running, "/admin/secret.txt", fields).status for fields in (ANN, BOB)] == [401, 200]
    (message,) = errors(caplog)
    assert "line 2" in message
    assert "hunter2" not in message
    users.unlink()
    clock.advance(running, 2)
    clock.advance(running, 2)
    assert ask(running, "/admin/secret.txt", BOB).status == 200
    assert len(errors(caplog)) == 2  # each fault is told once
    users.write_text(line("ann", "right"), "utf-8")
    clock.advance(running, 2)
    assert [ask(running, "/admin/secret.txt", fields).status for fields in (ANN, BOB)] == [200, 401]


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_a_start_warns_where_passwords_are_sent_in_the_clear(
    root: Path, users: Path, caplog: pytest.LogCaptureFixture, host: str, warned: bool
) -> None:
    with make_server(host, 0, root=str(root), auth=[f"admin={users}"]):
        assert any("in the clear" in record.getMessage() for record in caplog.records) is warned


def test_no_password_is_checked_by_the_leader_and_each_once(
    root: Path, users: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def check(password: bytes, hashed: basic_auth.PasswordHash) -> bool:
        threads.append(threading.current_thread().name)
        return basic_auth.is_password(password, hashed)

    monkeypatch.setattr("tpserver.site.auth.is_password", check)
    running = start(root=root, auth=[f"admin={users}"])
    for _ in range(3):
        for fields in (ANN, basic("ann", "wrong"), basic("eve", "right")):
            ask(running, "/admin/secret.txt", fields)
    assert len(threads) == 3
    assert running.server.stats()["requests"]["in_pool"] == 3


def test_while_passwords_are_tried_others_are_answered_and_the_queue_is_short(
    root: Path, users: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()

    def check(password: bytes, hashed: basic_auth.PasswordHash) -> bool:
        begun.set()
        assert go.wait(20)
        return False

    running = start(root=root, auth=[f"admin={users}"])
    assert ask(running, "/admin/secret.txt", ANN).status == 200
    monkeypatch.setattr("tpserver.site.auth.is_password", check)
    clients = [Client(running) for _ in range(40)]
    try:
        for number, client in enumerate(clients):
            if number == 32:
                assert begun.wait(20)
                until(running, lambda: running.server.stats()["requests"]["handled"] >= 33)
            client.send(request("/admin/secret.txt", basic("ann", f"wrong {number}")))
        refused = [client.response() for client in clients[32:]]
        assert {(answer.status, answer["retry-after"]) for answer in refused} == {(503, "1")}
        assert ask(running, "/admin/secret.txt", ANN).status == 200
        assert ask(running, "/public/a.txt").status == 200
        go.set()
        assert {client.response().status for client in clients[:32]} == {401}
    finally:
        go.set()
        for client in clients:
            client.close()


def test_a_preflight_has_no_credentials_and_tells_nothing(root: Path, users: Path, start: Start) -> None:
    running = start(plain_app, root=root, auth=[f"admin={users}"], cors=["*"])
    asks = ("Origin: https://app.example", "Access-Control-Request-Method: GET")
    asks += ("Access-Control-Request-Headers: authorization",)
    for target in ("/admin/secret.txt", "/admin/none"):
        answer = ask(running, target, *asks, method="OPTIONS")
        assert (answer.status, answer["access-control-allow-headers"]) == (204, "authorization")
    assert ask(running, "/admin/secret.txt", asks[0])["access-control-allow-origin"] == "*"


def test_the_user_is_in_the_access_log(root: Path, users: Path, start: Start, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    running = start(root=root, auth=[f"admin={users}"], access_log=str(log))
    for fields in ([ANN], [basic('e v"e\n', "right")], []):
        ask(running, "/admin/secret.txt", *fields)
    running.stop()
    lines = log.read_text("utf-8").splitlines()
    assert [entry.split(" ")[2] for entry in lines] == ["ann", 'e\\x20v\\"e\\x0a', "-"]
    assert "right" not in log.read_text("utf-8")


@pytest.mark.parametrize("text", [None, "ann:hunter2\n", "\xff"])
def test_a_file_that_is_none_is_told_at_the_start(root: Path, start: Start, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "broken.txt"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        start(root=root, auth=[f"admin={path}"])
    assert str(path) in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert text is None or "line 1" in str(caught.value)


@pytest.mark.parametrize(
    "target", ["/static/admin/secret.txt", "/static//%61dmin/secret.txt", "/static/alias/secret.txt"]
)
def test_below_a_mount_the_whole_path_decides(root: Path, users: Path, start: Start, target: str) -> None:
    link(root / "alias", "admin")
    running = start(plain_app, mount=[f"/static={root}"], listing=True, auth=[f"static/admin/**={users}"])
    assert ask(running, target).status == 401
    assert ask(running, target, ANN).content == SECRET
    assert ask(running, "/static/public/a.txt").content == b"public"
    listing = ask(running, "/static/", "Accept: text/plain").content.decode().split()
    assert "public/" in listing
    assert not {"admin/", "alias/"} & set(listing)


def test_a_mounted_application_is_protected_however_its_prefix_is_written(
    users: Path, start: Start, tmp_path: Path
) -> None:
    source = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [environ["REMOTE_USER"].encode()]
"""
    (tmp_path / "mounted.py").write_text(source, "utf-8")
    running = start(mount=[f"/api={tmp_path / 'mounted.py'}:app"], auth=[f"api/**={users}"])
    for target in ("/api", "/api/x", "//api/x", "/%61pi/x", "/x/../api/x", "/API/x"):
        assert ask(running, target).status in (401, 404)
    assert ask(running, "/api/x", ANN).content == b"ann"
