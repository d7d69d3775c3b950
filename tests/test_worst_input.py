"""64 KiB of the worst input for each field that is read: the work and the memory of one request stay bounded.

Calls and allocated bytes are counted, not seconds. The bounds of all loops are in CONTRIBUTING.md.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tpserver.files.folder import Folder
from tpserver.files.listing_responder import Listings
from tpserver.files.variants import Variants
from tpserver.handler import HTTPRequestHandler
from tpserver.http.pages import Refusal
from tpserver.protocol import HTTPProtocol, HTTPRequest
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


@pytest.mark.parametrize("text", ["sort=a&", "&", "view=", "sort", "=", "q=%41&"])
def test_the_query_of_a_listing(protocol: HTTPProtocol, text: str) -> None:
    check(protocol, f"GET /folder/?{filled(text)} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())


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
