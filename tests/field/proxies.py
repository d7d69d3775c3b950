"""Real nginx and HAProxy, with the files of deploy/, in front of a server that says what an application sees."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.client import Client

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy"
NGINX_ONE, NGINX_SEVERAL = DEPLOY / "nginx" / "one.conf", DEPLOY / "nginx" / "several.conf"
HAPROXY_ONE, HAPROXY_SEVERAL = DEPLOY / "haproxy" / "one.cfg", DEPLOY / "haproxy" / "several.cfg"

CLIENT = "127.0.1.7"  # an address of this machine, and no trusted proxy's
KEYS = (
    "REMOTE_ADDR", "wsgi.url_scheme", "HTTPS", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME", "PATH_INFO",
    "REQUEST_METHOD",
)  # fmt: skip
# What a client sends that wants to be another one.
SPOOFED = (
    "Forwarded: for=203.0.113.9;proto=https;host=evil.example",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 444",
    "X-Forwarded-Prefix: /evil",
)
MALFORMED = ('Forwarded: for="', "X-Forwarded-For: ,,me,", "X-Forwarded-Proto: x", "X-Forwarded-Prefix: //evil.example")


class Front(NamedTuple):
    """A proxy, as tests ask it."""

    port: int

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)


def needs(*programs: str) -> Any:
    """Skips what cannot run here."""
    missing = [name for name in programs if not shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")]
    reason = f"{', '.join(missing)} not installed" if missing else "the programs need Linux"
    return pytest.mark.skipif(bool(missing) or not sys.platform.startswith("linux"), reason=reason)


@contextlib.contextmanager
def front(site: Path, folder: Path, *ports: int, inner: bool = False) -> Iterator[Front]:
    """The proxy that a file of deploy/ is for; several.* get the one server four times."""
    from benchmarks.trials.in_front import proxy  # reads /proc

    count = 4 if "several" in site.name else 1
    with proxy(site, folder, (ports * count)[:count], inner=inner) as process:
        yield Front(process.port)


def told(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application that says what it sees."""
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json")])
    seen = {key: environ[key] for key in KEYS if key in environ}
    others = sorted(name for name in environ if "FORWARDED" in name)
    return [json.dumps({**seen, "content": len(content), "others": others}).encode()]


def seen(proxy: Front, *fields: str, source: str = CLIENT, **more: Any) -> dict[str, Any]:
    """What the application sees of one request of a client at `source`."""
    with Client(proxy, source=source) as client:
        response = client.ask("/path?query", *fields, **more)
    assert response.status == 200, response.content
    return dict(json.loads(response.content))
