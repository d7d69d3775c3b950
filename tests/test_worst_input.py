"""64 KiB of the worst input for each field that is read: the work and the memory of one request stay bounded.

Calls and allocated bytes are counted, not seconds. The bounds of all loops are in CONTRIBUTING.md.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tpserver.config import Config
from tpserver.files.folder import Folder
from tpserver.files.listing import filtered
from tpserver.files.listing_responder import Listings
from tpserver.files.protected import parse_auth
from tpserver.files.redirects import Redirects, parse_redirect
from tpserver.files.rules import HeaderRules, parse_header
from tpserver.files.variants import Variants
from tpserver.handler import HTTPRequestHandler
from tpserver.http.cors import CrossOrigin
from tpserver.http.pages import Refusal
from tpserver.protocol import HTTPProtocol, HTTPRequest
from tpserver.proxied import ProxiedProtocol
from tpserver.site.auth import Guard
from tpserver.site.mounts import Mounts
from tpserver.site.site import Site
from tpserver.site.vhosts import VirtualHosts
from tpserver.system.clock import clock

SIZE = 64 * 1024 - 400  # of the worst line, so that the head is as large as it may be
MOST_CALLS = 3000
MOST_BYTES = 32 * 64 * 1024


class FakeWire:
    """A connection that keeps what is written."""

    client_address = "192.0.2.1", 1
    keep_alive = True
    sending = False

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


@pytest.fixture
def protocol(tmp_path: Path) -> Iterator[HTTPProtocol]:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").write_bytes(bytes(5000))
    (tmp_path / "404.html").write_bytes(b"Not here.")
    folder = Folder(tmp_path, listing=True, try_html=True)
    site = Site(
        folder,
        None,
        spa="/file.txt",
        error_pages={404: "/404.html"},
        variants=Variants(folder),
        listing=Listings().responder,
    )
    protocol = HTTPProtocol(VirtualHosts({"*.example": site}, site))
    protocol.begin_turn()
    yield protocol
    protocol.end()


@pytest.fixture
def proxied(protocol: HTTPProtocol) -> HTTPProtocol:
    """The same site for a trusted proxy."""
    proxied = ProxiedProtocol(Config(trusted_proxy=["192.0.2.0/24"]), protocol.site)
    proxied.begin_turn()
    return proxied


def answer(protocol: HTTPProtocol, data: bytes) -> bytes:
    """What is sent for the first request in `data`."""
    outcome = protocol.receiver(("192.0.2.1", 1)).receive(data)
    if isinstance(outcome, Refusal):
        return outcome.data
    assert isinstance(outcome, HTTPRequest), outcome
    wire: Any = FakeWire()
    outcome.connection = wire
    if not outcome.answer_at_once():
        outcome.arrived = clock.perf_counter()
        server: Any = None
        HTTPRequestHandler(outcome, ("192.0.2.1", 1), server)  # type: ignore[arg-type]
    sent: bytes = wire.data
    return sent


def calls_of(run: Callable[[], object]) -> int:
    """How many functions of Python and of C are called."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count


def peak_of(run: Callable[[], object]) -> int:
    """The most bytes that are allocated at a time."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check(protocol: HTTPProtocol, data: bytes) -> bytes:
    sent = answer(protocol, data)
    assert sent.startswith(b"HTTP/1.1 ")
    assert calls_of(lambda: answer(protocol, data)) < MOST_CALLS
    assert peak_of(lambda: answer(protocol, data)) < MOST_BYTES
    return sent


def filled(text: str) -> str:
    return (text * (SIZE // len(text) + 1))[:SIZE]


LISTS = [",", ", ", "a,", "\t,", "*/*,", "a/b;q=0,", "*/*;q=0.5;", ";", "a;", "gzip;q=0,", '"",', 'W/"a", ', '"', '"a']
NAMES = ["Accept", "Accept-Encoding", "If-Match", "If-None-Match", "Connection", "Expect", "Transfer-Encoding", "TE"]


@pytest.mark.parametrize("text", LISTS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["/file.txt", "/folder/", "/missing.txt", "/route"])
def test_a_field_with_a_list(protocol: HTTPProtocol, name: str, text: str, target: str) -> None:
    check(protocol, f"GET {target} HTTP/1.1\r\nHost: a.example\r\n{name}: {filled(text)}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "text",
    [",", ", ", "192.0.2.1,", "[::1]:80, ", ":", "[", "_", "for=192.0.2.1,", "a=b;", ";", '"', "/a", '\\"', 'for="'],
)
@pytest.mark.parametrize("behind", ["", ", 192.0.2.1", ", for=192.0.2.1"])
@pytest.mark.parametrize("name", ["Forwarded", *(f"X-Forwarded-{name}" for name in ("For", "Proto", "Host", "Prefix"))])
def test_what_a_proxy_passes_on(proxied: HTTPProtocol, name: str, text: str, behind: str) -> None:
    head = f"GET /file.txt HTTP/1.1\r\nHost: a.example\r\n{name}: {filled(text)[:-30]}{behind}\r\n\r\n"
    check(proxied, head.encode())


@pytest.mark.parametrize("text", [".", "a.", "a", "-.", "%41", "[", ":", "1:", "0", "*.", "a.b:0"])
@pytest.mark.parametrize("before", ["", "[", "[v1.", "a.example:", "x."])
def test_a_host(protocol: HTTPProtocol, before: str, text: str) -> None:
    sent = check(protocol, f"GET /missing HTTP/1.1\r\nHost: {before}{filled(text)}\r\n\r\n".encode())
    assert b" 400 " in sent[:20] or before.endswith("example:")
    check(protocol, f"GET http://{before}{filled(text)}/ HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())


@pytest.mark.parametrize(
    "text", ["/", "/a", "/./", "/.", "%", "%41", "%2f", "%zz", "%C3", "a", "/..", "~1", ".", "/con"]
)
@pytest.mark.parametrize("before", ["/", "/file.txt", "/folder/", "/folder/?", "/folder?", "*", "//"])
def test_a_target(protocol: HTTPProtocol, before: str, text: str) -> None:
    for method in ("GET", "OPTIONS", "CONNECT"):
        check(protocol, f"{method} {before}{filled(text)} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())


@pytest.fixture
def equipped(protocol: HTTPProtocol, tmp_path: Path) -> HTTPProtocol:
    """The same with what looks at each path before the files do: redirects, mounts, users, fields of `--header`."""
    (tmp_path / "users").write_text("")
    guard = Guard([parse_auth(f"{glob}={tmp_path / 'users'}") for glob in ("admin", "**/x/**/y/*.k")])
    redirects = Redirects(
        map(parse_redirect, ["/blog/**=/news/**", "/**/x/**/y=/z", "/*/a=/b", "/**=https://a.example/**"])
    )
    headers = HeaderRules([parse_header("**/x/**=X-A:b"), parse_header("*.html=X-B:c")])
    site = guard.site(
        Folder(tmp_path, listing=True), None, headers=headers, cors=CrossOrigin(["*"]), redirects=redirects
    )
    protocol.site = Mounts({"/static": site, "/blog/a/b": site}, site, site)
    return protocol


@pytest.mark.parametrize("text", ["/", "/a", "/./", "/..", "/a/..", "/%C3%A4", "/%zz", "/x", "/%2e%2e", "/x/y", "%2f"])
@pytest.mark.parametrize("before", ["/blog", "/static", "/x", "/admin"])
def test_a_target_where_redirects_mounts_and_users_are(equipped: HTTPProtocol, before: str, text: str) -> None:
    check(equipped, f"GET {before}{filled(text)} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())


@pytest.mark.parametrize("text", ["/a", "/a/x", "/x/y", "/.."])
def test_many_names_where_redirects_are(text: str) -> None:
    rules = ["/blog/**=/news/**", "/**/x/**/y=/z", "/*/a=/b", "/**=https://a.example/**"]
    redirects = Redirects(map(parse_redirect, rules))
    for size in (4000, SIZE):
        head: Any = SimpleNamespace(path="/blog" + filled(text)[:size], query="")
        assert calls_of(lambda: redirects.location(head)) < MOST_CALLS  # noqa: B023 - called at once


@pytest.mark.parametrize("text", ["sort=a&", "&", "view=", "sort", "=", "q=%41&"])
def test_the_query_of_a_listing(protocol: HTTPProtocol, text: str) -> None:
    check(protocol, f"GET /folder/?{filled(text)} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())


def test_a_filter_of_many_words() -> None:
    """Each name is folded once, and asked for a word once, however often the filter has it."""
    entries = [(f"a \u00c4 {number}.txt", False, 0, 0) for number in range(100)]
    one, many = (calls_of(lambda: filtered(entries, wanted)) for wanted in ("a", "a " * 100))  # noqa: B023
    assert many < 2 * one


@pytest.mark.parametrize("text", [",", "0-0,", "-1,", "0-,", " ,", "-", "0", "9", "0 ", "0-0, "])
@pytest.mark.parametrize("before", ["bytes=", "bytes=0-", "bytes=-", "bytes=0", ""])
def test_ranges(protocol: HTTPProtocol, before: str, text: str) -> None:
    check(protocol, f"GET /file.txt HTTP/1.1\r\nHost: a.example\r\nRange: {before}{filled(text)}\r\n\r\n".encode())


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since", "If-Range", "Content-Length", "Referer"])
@pytest.mark.parametrize("text", ["0", " ", '"', "Sun, ", "Sunday,", ":", "0 0", "W/"])
def test_a_field_with_one_value(protocol: HTTPProtocol, name: str, text: str) -> None:
    lines = f"{name}: {filled(text)}" + ("\r\nRange: bytes=0-1" if name == "If-Range" else "")
    check(protocol, f"GET /file.txt HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "line", ["a:", "A: b", "Cookie:", "Cookie: a", "Accept: ,", "Connection: a", "Expect:", "A_B:"]
)
def test_as_many_lines_as_fit(protocol: HTTPProtocol, line: str) -> None:
    sent = check(
        protocol, f"GET /file.txt HTTP/1.1\r\nHost: a.example\r\n{filled(line + chr(13) + chr(10))}\r\n\r\n".encode()
    )
    assert b" 431 " in sent[:20] or b" 400 " in sent[:20]


@pytest.mark.parametrize("line", ["Accept: ", "Cookie: ", "X: ", "If-None-Match: ", "Connection: "])
def test_a_hundred_long_lines_of_one_name(protocol: HTTPProtocol, line: str) -> None:
    lines = (line + "," * 600 + "\r\n") * 98
    check(protocol, f"GET /file.txt HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n".encode())


def test_a_virtual_host_is_chosen_once_a_request(protocol: HTTPProtocol, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file, then the page for its status are looked for, and the host is too long to be remembered."""
    chosen = []
    really = VirtualHosts._choose

    def choose(self: VirtualHosts, value: str) -> Site:
        chosen.append(value)
        return really(self, value)

    monkeypatch.setattr(VirtualHosts, "_choose", choose)
    host = "a." * 100 + "example:" + "0" * 400 + "80"
    sent = answer(protocol, f"GET /missing.txt HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert sent.endswith(b"Not here.")
    assert chosen == [host]
