"""Sends the same requests for files to several servers and writes their answers into docs/static-files.md.

    python docs/compare_static.py

It needs nginx and the package whitenoise. A test sends the requests to tpserver and fails where the document differs.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "static-files.md"
BEGIN, END = "<!-- compared:begin -->\n", "<!-- compared:end -->\n"
PATIENCE = 3.0  # seconds to wait for an answer; then the table says "no answer"
TIMES = (200_000_000, 900_000_000)  # nanoseconds: an edit that changes neither the size nor the second

NGINX = """daemon off; error_log stderr crit; pid nginx.pid; events {{}}
http {{
  include /etc/nginx/mime.types; default_type application/octet-stream; access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{ listen 127.0.0.1:{port}; root {root}; gzip_static on; }}
}}
"""


class Case(NamedTuple):
    """A request, and the part of the answer that is shown. `before` prepares the folder."""

    what: str  # the first column of the table
    target: str
    lines: tuple[str, ...] = ()
    method: str = "GET"
    show: str = ""  # the name of the field whose value is shown behind the status
    before: Callable[[Path], None] | None = None


def make_folder(root: Path) -> None:
    """Writes the files that are requested."""
    (root / "ten.txt").write_bytes(b"0123456789")
    (root / "app.js").write_bytes(b"let a = 1;\n" * 300)
    (root / "app.js.gz").write_bytes(gzip.compress((root / "app.js").read_bytes(), mtime=0))
    (root / "app.3f2a9c1b.js").write_bytes(b"let a = 1;\n")
    (root / "prog.py").write_bytes(b"secret = 1\n")
    (root / ".env").write_bytes(b"secret=1\n")
    (root / "edited.txt").write_bytes(b"one")
    os.utime(root / "edited.txt", ns=(TIMES[0], TIMES[0]))
    (root / "sub").mkdir()
    (root / "sub" / "index.html").write_bytes(b"<p>sub")
    (root.parent / "outside.txt").write_bytes(b"outside")
    with contextlib.suppress(OSError, NotImplementedError):
        (root / "link.txt").symlink_to(root.parent / "outside.txt")


def edit(root: Path) -> None:
    (root / "edited.txt").write_bytes(b"two")
    os.utime(root / "edited.txt", ns=(TIMES[1], TIMES[1]))


def add_pipe(root: Path) -> None:  # after the start: whitenoise reads every file when it starts
    if hasattr(os, "mkfifo"):
        os.mkfifo(root / "pipe")


def add(root: Path) -> None:
    (root / "new.txt").write_bytes(b"new")


CASES = [
    Case("`Range: bytes=0-0`", "/ten.txt", ("Range: bytes=0-0",), show="content-range"),
    Case("`Range: bytes=-1`", "/ten.txt", ("Range: bytes=-1",), show="content-range"),
    Case("`Range: bytes=99-`", "/ten.txt", ("Range: bytes=99-",), show="content-range"),
    Case("`Range: bytes=0-1,8-9`", "/ten.txt", ("Range: bytes=0-1,8-9",), show="content-type"),
    Case("a thousand ranges", "/ten.txt", ("Range: bytes=" + ",".join(["0-1"] * 1000),)),
    Case("`Range` and an `If-Range` of another version", "/ten.txt", ("Range: bytes=0-1", 'If-Range: "old"')),
    Case("`If-None-Match` with the tag, weak, in a list", "/ten.txt", ('If-None-Match: "x", W/{etag}',)),
    Case("`If-None-Match: *`", "/ten.txt", ("If-None-Match: *",)),
    Case("`If-Match` with another tag", "/ten.txt", ('If-Match: "other"',)),
    Case("`If-Unmodified-Since` long ago", "/ten.txt", ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",)),
    Case("edited within the second, asked with the old tag", "/edited.txt", ("If-None-Match: {etag}",), before=edit),
    Case("a file that was added since the start", "/new.txt", before=add),
    Case(
        "a sidecar `app.js.gz`, `Accept-Encoding: gzip`", "/app.js", ("Accept-Encoding: gzip",), show="content-encoding"
    ),
    Case("the same, `gzip;q=0`", "/app.js", ("Accept-Encoding: gzip;q=0",), show="content-encoding"),
    Case("the media type of `.js`", "/app.js", show="content-type"),
    Case("a name with a hash of the content", "/app.3f2a9c1b.js", show="cache-control"),
    Case("a folder without its slash", "/sub", show="location"),
    Case("a hidden file, `/.env`", "/.env"),
    Case("Python source, `/prog.py`", "/prog.py"),
    Case("a symbolic link out of the folder", "/link.txt"),
    Case("a named pipe", "/pipe", before=add_pipe),
    Case("`POST` to a file", "/ten.txt", method="POST", show="allow"),
]


def ask(port: int, case: Case, etag: str) -> str:
    """Sends one request; returns the text for the table."""
    lines = [line.replace("{etag}", etag) for line in case.lines]
    head, _ = exchange(port, case.method, case.target, lines)
    if not head:
        return "no answer"
    status = head.split(" ", 2)[1]
    value = field(head, case.show).partition("; boundary")[0].replace(f"localhost:{port}", "localhost")
    return f"{status} `{value}`" if value else status


def exchange(port: int, method: str, target: str, lines: list[str]) -> tuple[str, bytes]:
    """Sends one request; returns head and content, empty where no answer came in time."""
    text = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", ""])
    received = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(text.encode("latin-1"))
        with contextlib.suppress(TimeoutError, ConnectionError):
            while data := sock.recv(65536):
                received += data
    head, _, content = received.partition(b"\r\n\r\n")
    return head.decode("latin-1"), content


def field(head: str, name: str) -> str:
    for line in head.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if name and key.lower() == name:
            return value.strip()
    return ""


def column(port: int, root: Path) -> list[str]:
    """The answers of the server at `port` to all cases."""
    found = []
    for case in CASES:
        etag = field(exchange(port, "GET", case.target, [])[0], "etag") if "{etag}" in "".join(case.lines) else ""
        if case.before is not None:
            case.before(root)
        found.append(ask(port, case, etag or '"none"'))
    return found


@contextlib.contextmanager
def tpserver(root: Path) -> Iterator[int]:
    with in_thread(root=str(root)) as port:
        yield port


@contextlib.contextmanager
def whitenoise(root: Path) -> Iterator[int]:
    from whitenoise import WhiteNoise

    def unknown(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not found"]

    with in_thread(WhiteNoise(unknown, root=str(root), index_file=True)) as port:
        yield port


@contextlib.contextmanager
def in_thread(app: Any = None, **options: Any) -> Iterator[int]:
    """Runs tpserver in this process."""
    from tpserver import make_server

    with make_server("127.0.0.1", 0, app, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def process(command: list[str], port: int, folder: Path) -> Iterator[int]:
    """Runs another server in a process of its own."""
    running = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = monotonic() + 10 * PATIENCE
        while monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE):
                break
            running.poll()
        yield port
    finally:
        running.kill()
        running.wait()


@contextlib.contextmanager
def nginx(root: Path) -> Iterator[int]:
    port = free_port()
    work = root.parent / "nginx"
    work.mkdir()
    (work / "nginx.conf").write_text(NGINX.format(port=port, root=root), "utf-8")
    root.parent.chmod(0o755)
    with process(["nginx", "-p", str(work), "-c", str(work / "nginx.conf"), "-g", "user root;"], port, work):
        yield port


@contextlib.contextmanager
def http_server(root: Path) -> Iterator[int]:
    port = free_port()
    with process([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)], port, root):
        yield port


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def answers(serve: Callable[[Path], Any]) -> list[str]:
    """The column of one server, which gets a folder of its own."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "root"
        root.mkdir()
        make_folder(root)
        with serve(root) as port:
            return column(port, root)


def table(columns: dict[str, list[str]]) -> str:
    """The table in Markdown."""
    lines = ["| request | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    for number, case in enumerate(CASES):
        what = case.what.replace("|", "\\|")
        lines.append(f"| {what} | " + " | ".join(found[number] for found in columns.values()) + " |")
    return "\n".join(lines) + "\n"


def nginx_version() -> str:
    done = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True)
    return done.stderr.strip().rpartition("/")[2]


def main() -> None:
    sys.path.insert(0, str(ROOT))
    if shutil.which("nginx") is None:
        sys.exit("nginx is not installed")
    from importlib.metadata import version

    columns = {
        "tpserver": answers(tpserver),
        f"nginx {nginx_version()}": answers(nginx),
        f"whitenoise {version('whitenoise')}": answers(whitenoise),
        f"http.server {sys.version_info[0]}.{sys.version_info[1]}": answers(http_server),
    }
    text = DOCUMENT.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    DOCUMENT.write_text(before + begin + table(columns) + end + after, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
