"""A file in the folder is sent: its content, its type, its length; on every kind of connection, under every name."""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.apps import plain_app
from tests.client import CLOSE, Client, ask, request, several
from tests.running import Start
from tpserver.files import folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<h1>Home</h1>", "utf-8")
    (tmp_path / "a.txt").write_bytes(b"some text\n")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 1024)
    sub = tmp_path / "sub"
    sub.mkdir()
    (sub / "index.html").write_text("<h1>Sub</h1>", "utf-8")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "a.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("/", b"<h1>Home</h1>"),
        ("/index.html", b"<h1>Home</h1>"),
        ("/sub/", b"<h1>Sub</h1>"),
        ("/sub/index.html", b"<h1>Sub</h1>"),
        ("/a.txt", b"some text\n"),
        ("/a.txt?version=2", b"some text\n"),
        ("/a%2Etxt", b"some text\n"),
        ("//a.txt", b"some text\n"),
        ("/sub%2findex.html", b"<h1>Sub</h1>"),
        ("http://server.example/a.txt", b"some text\n"),
        ("/empty.txt", b""),
        ("/large.bin", bytes(range(256)) * 1024),
    ],
)
def test_a_file_is_sent_as_it_is(start: Start, root: Path, target: str, content: bytes) -> None:
    answer = ask(start(root=str(root)), target)
    assert answer.status == 200
    assert answer.content == content
    assert answer.fields["content-length"] == str(len(content))


def test_a_picture_in_gzip_says_so(start: Start, root: Path) -> None:
    content = gzip.compress(b"<svg/>" * 1000)
    (root / "a.svgz").write_bytes(content)
    answer = ask(start(root=str(root)), "/a.svgz", "Accept-Encoding: gzip")
    assert (answer.fields["content-type"], answer.fields["content-encoding"]) == ("image/svg+xml", "gzip")
    assert answer.content == content
    assert "vary" not in answer.fields


@pytest.mark.parametrize(
    "target", ["/nothing", "/nothing/", "/a.txt/", "/a.txt/b", "/sub/nothing", "/bare", "/bare/", "/A.TX", "/?a.txt"]
)
def test_what_is_not_there_is_404(start: Start, root: Path, target: str) -> None:
    (root / "index.html").unlink()
    answer = ask(start(root=str(root)), target)
    assert answer.status == 404
    assert b"<h1>404 Not Found</h1>" in answer.content


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("page.html", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("script.js", "text/javascript; charset=utf-8"),
        ("notes.TXT", "text/plain; charset=utf-8"),
        ("data.json", "application/json"),
        ("picture.svg", "image/svg+xml"),
        ("picture.png", "image/png"),
        ("archive.tar.gz", "application/gzip"),
        ("README", "text/plain; charset=utf-8"),
    ],
)
def test_a_browser_is_told_the_type_and_of_text_the_character_set(
    start: Start, tmp_path: Path, name: str, media_type: str
) -> None:
    (tmp_path / name).write_bytes(b"x")
    answer = ask(start(root=str(tmp_path)), f"/{name}")
    assert answer.fields["content-type"] == media_type
    assert "content-encoding" not in answer.fields


@pytest.mark.parametrize("target", ["/", "/a.txt", "/empty.txt", "/large.bin", "/nothing", "/sub"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_head_gets_the_head_of_get_and_nothing_more(start: Start, root: Path, target: str, version: str) -> None:
    running = start(root=str(root))
    of_get = ask(running, target, version=version)
    of_head = ask(running, target, version=version, method="HEAD")
    assert of_head.content == b""
    assert {**of_head.fields, "date": ""} == {**of_get.fields, "date": ""}
    assert of_head.status == of_get.status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("target", ["/a.txt", "/", "/sub"])
def test_a_file_cannot_be_written(start: Start, root: Path, target: str, method: str) -> None:
    answer = ask(start(root=str(root)), target, method=method)
    assert answer.status == 405
    assert answer.fields["allow"] == "GET, HEAD, OPTIONS"
    assert (root / "a.txt").read_bytes() == b"some text\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_where_no_file_is_none_can_be_written_either(start: Start, root: Path, method: str) -> None:
    assert ask(start(root=str(root)), "/new.txt", method=method, content=b"x").status == 404
    assert not (root / "new.txt").exists()


@pytest.mark.parametrize("method", ["BREW", "get", "PROPFIND", "X-Y"])
@pytest.mark.parametrize("target", ["/a.txt", "/nothing", "/sub"])
def test_an_unknown_method_is_501(start: Start, root: Path, target: str, method: str) -> None:
    assert ask(start(root=str(root)), target, method=method).status == 501


@pytest.mark.parametrize("target", ["/a.txt", "/", "/sub", "*"])
def test_options_says_what_can_be_done(start: Start, root: Path, target: str) -> None:
    answer = ask(start(root=str(root)), target, method="OPTIONS")
    assert answer.status == 204
    assert answer.fields["allow"] == "GET, HEAD, OPTIONS"
    assert answer.content == b""


def test_one_connection_serves_many_files(start: Start, root: Path) -> None:
    running = start(root=str(root))
    with Client(running) as client:
        for target, size in [("/a.txt", 10), ("/large.bin", 256 * 1024), ("/empty.txt", 0), ("/a.txt", 10)] * 3:
            client.send(request(target))
            answer = client.head()
            assert answer.status == 200
            assert "connection" not in answer.fields
            assert len(client.stream.read(size)) == size == int(answer.fields["content-length"])


def test_many_files_asked_for_in_one_packet_come_in_their_order(start: Start, root: Path) -> None:
    running = start(root=str(root))
    with Client(running) as client:
        client.send(b"".join(request(target) for target in ["/a.txt", "/large.bin", "/nothing", "/sub/"]))
        for status, length in [(200, 10), (200, 256 * 1024), (404, None), (200, 12)]:
            answer = client.head()
            assert answer.status == status
            content = client.stream.read(int(answer.fields["content-length"]))
            assert length in (None, len(content))


def test_an_old_client_gets_a_file_and_the_end(start: Start, root: Path) -> None:
    answer = ask(start(root=str(root)), "/a.txt", version="1.0")
    assert answer.fields["connection"] == "close"
    assert answer.content == b"some text\n"


@pytest.mark.parametrize("target", ["/a.txt", "/large.bin", "/nothing"])
def test_an_old_client_that_asks_may_keep_its_connection(start: Start, root: Path, target: str) -> None:
    with Client(start(root=str(root))) as client:
        for _ in range(2):
            client.send(request(target, "Connection: keep-alive", version="1.0"))
            answer = client.head()
            assert answer.fields["connection"] == "keep-alive"
            client.stream.read(int(answer.fields["content-length"]))


def test_a_client_that_is_done_is_told_so(start: Start, root: Path) -> None:
    with Client(start(root=str(root))) as client:
        client.send(request("/a.txt", CLOSE))
        assert client.head().fields["connection"] == "close"
        assert client.stream.read() == b"some text\n"


def test_two_clients_get_their_own_file_at_once(start: Start, tmp_path: Path) -> None:
    size = 4 * 1024 * 1024
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * size)
    running = start(root=str(tmp_path))
    with Client(running) as one, Client(running) as other:
        one.send(request("/a"))
        other.send(request("/b"))
        for client in (one, other):
            assert int(client.head().fields["content-length"]) == size
        step = 64 * 1024
        for _ in range(size // step):
            assert one.stream.read(step) == b"a" * step
            assert other.stream.read(step) == b"b" * step


def test_content_that_is_not_wanted_is_read_past(start: Start, root: Path) -> None:
    with Client(start(root=str(root))) as client:
        client.send(request("/a.txt", content=b"GET /nothing HTTP/1.1\r\n\r\n") + request("/empty.txt"))
        assert client.head().fields["content-length"] == "10"
        assert client.stream.read(10) == b"some text\n"
        assert client.head().fields["content-length"] == "0"


@pytest.mark.parametrize("size", [folder.SMALL - 1, folder.SMALL, folder.SMALL + 1])
def test_files_around_the_size_that_is_kept_in_memory(start: Start, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "a").write_bytes(content)
    running = start(root=str(tmp_path))
    for _ in range(2):
        assert ask(running, "/a").content == content


NAMES = [
    "with space.txt",
    "100%.txt",
    "%41.txt",
    "%2e%2e",
    "a#b.txt",
    "a&b=c;d,e+f.txt",
    "(a)[b]{c}.txt",
    "it's.txt",
    "\u00e4\u00f6\u00fc.txt",
    "a\u0308 decomposed.txt",
    "\u65e5\u672c\u8a9e.txt",
    "\ud55c\uad6d\uc5b4.txt",
    "\u0440\u0443\u0441\u0441\u043a\u0438\u0439.txt",
    "\u03b5\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac.txt",
    "\u05e2\u05d1\u05e8\u05d9\u05ea.txt",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629.txt",
    "\u0939\u093f\u0928\u094d\u0926\u0940.txt",
    "\u0e44\u0e17\u0e22.txt",
    "\U0001f469\u200d\U0001f4bb.txt",
    "\U0001f600.txt",
    "a..b",
    "-",
    "~tilde",
    "$HOME",
]
# Characters that Windows allows in no name.
POSIX_NAMES = ["a?b.txt", 'quo"te.txt', "<b>.txt", "a:b.txt", "a*b", "a|b", "line\nbreak.txt", "trailing.", "con.txt"]


@pytest.mark.parametrize("name", NAMES + (POSIX_NAMES if sys.platform != "win32" else []))
def test_a_file_of_any_name_can_be_had(start: Start, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(name, "utf-8")
    answer = ask(start(root=str(tmp_path)), "/" + quote(name))
    assert answer.status == 200
    assert answer.content.decode("utf-8") == name


def test_a_name_that_is_no_utf_8_can_be_had(start: Start, tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"\xff\xe4.txt")).write_bytes(b"odd")
    except (OSError, UnicodeError):
        pytest.skip("this file system wants names in UTF-8")
    running = start(root=str(tmp_path))
    assert ask(running, "/%ff%e4.txt").content == b"odd"
    assert ask(running, "/%ff%e5.txt").status == 404


def test_the_longest_name_can_be_had_and_longer_ones_are_404(start: Start, tmp_path: Path) -> None:
    running = start(root=str(tmp_path))
    longest, is_there = tmp_path / ("a" * 255), False
    with contextlib.suppress(OSError):
        longest.write_bytes(b"long")  # Windows counts the whole path
        is_there = os.path.realpath(longest) == str(longest)  # wine writes it, and cannot tell the path then
    if is_there:
        assert ask(running, "/" + "a" * 255).content == b"long"
    try:
        (tmp_path / ("\u00e4" * 127 + "a")).write_bytes(b"long in bytes")
    except OSError:
        pass
    else:
        assert ask(running, "/" + "%C3%A4" * 127 + "a").content == b"long in bytes"
    assert ask(running, "/" + "%C3%A4" * 128).status == 404
    assert ask(running, "/" + "a" * 256).status == 404
    assert ask(running, "/" + "a" * 5000).status == 404
    assert ask(running, "/a" * 5000).status == 404
    assert ask(running, "/" * 5000 + "b").status == 404


def test_many_slashes_are_one(start: Start, root: Path) -> None:
    assert ask(start(root=str(root)), "/" * 5000 + "a.txt").content == b"some text\n"


def test_everything_in_the_folder_goes_on_working_while_every_application_thread_hangs(
    start: Start, root: Path
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def hang(environ: dict[str, object], start_response: object) -> list[bytes]:
        begun.release()
        go_on.wait()
        return plain_app(environ, start_response)  # type: ignore[arg-type]

    running = start(hang, root=str(root), threads=2)
    with several(running, 2) as clients:
        try:
            for client in clients:
                client.send(request("/hang", CLOSE))
                assert begun.acquire(timeout=20)
            assert ask(running, "/a.txt").content == b"some text\n"
            assert ask(running, "/large.bin").content == bytes(range(256)) * 1024
        finally:
            go_on.set()
