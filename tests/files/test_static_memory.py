"""Memory, of a server in a process of its own: whatever the size of files, and however many of them are asked for."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, request
from tests.console import Console, tpserver
from tests.files.links import link
from tpserver.files.folder import ENTRIES

MIB = 1024 * 1024
# What an interpreter takes and gives back by the way.
SLACK = 8 * MIB

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has taken"),
    pytest.mark.timeout(300),
]


def taken(server: Console, what: str) -> int:
    """The server's resident memory, in bytes: VmRSS is now, VmHWM at the most so far."""
    text = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    found = re.search(rf"^{what}:\s+([0-9]+) kB$", text, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def ask_large(server: Console, *lines: str, name: str = "large") -> int:
    """Asks for a file and reads all of it; the status."""
    with Client(server) as client:
        client.send(request(f"/{name}", *lines))
        answer = client.head()
        skip(client.stream, int(answer.fields["content-length"]))
    return answer.status


def ask_heads(server: Console, requests: Iterator[bytes], batch: int = 100) -> dict[int, int]:
    """Sends HEAD requests on one connection, some at a time; how many answers of each status came."""
    statuses = {200: 0, 404: 0}
    with Client(server) as client:
        while some := list(itertools.islice(requests, batch)):
            client.send(b"".join(some))
            heads = b""
            while heads.count(b"\r\n\r\n") < len(some):
                data = client.sock.recv(MIB)
                assert data, "it ends too early"
                heads += data
            for status in statuses:
                statuses[status] += heads.count(b"HTTP/1.1 %d " % status)
    return statuses


def skip(stream: Any, length: int) -> None:
    while length:
        data = stream.read(min(length, MIB))
        assert data, "it ends too early"
        length -= len(data)


@pytest.mark.parametrize("asked", ["whole", "part", "parts"])
def test_it_does_not_grow_with_the_size_of_a_file(tmp_path: Path, asked: str) -> None:
    size = 512 * MIB
    for name, length in (("small", MIB), ("large", size)):
        with (tmp_path / name).open("wb") as stream:
            stream.truncate(length)
    lines = {
        "whole": [],
        "part": [f"Range: bytes=1-{size}"],
        "parts": ["Range: bytes=" + ",".join(f"{at * size // 16}-{(at + 1) * size // 16 - 1}" for at in range(16))],
    }[asked]
    with tpserver("--root", ".", "--access-log", "none", cwd=tmp_path) as server:
        ask_large(server, name="small")
        ask_large(server, "Range: bytes=0-1,5-6,9-", name="small")
        before = taken(server, "VmHWM")
        assert ask_large(server, *lines) == (206 if lines else 200)
        assert taken(server, "VmHWM") - before < SLACK
        server.stop()


def many(existing: int, missing: int, queries: int) -> Iterator[bytes]:
    """Requests for so many addresses, each another, of the three kinds in turn."""
    paths = itertools.product("0123456789abcdef", repeat=4)
    for number in range(max(existing, missing, queries)):
        if number < existing:
            yield request("/" + "/".join(next(paths)) + "/page.html", "Accept-Encoding: gzip", method="HEAD")
        if number < missing:
            yield request(f"/nothing/{number}/of/that/name.html", method="HEAD")
        if number < queries:
            yield request(f"/page.html?{number}", method="HEAD")


@pytest.mark.slow
def test_it_does_not_grow_with_the_number_of_different_addresses(tmp_path: Path) -> None:
    """200 000 of them. Of the files there are four times as many as are remembered, by links to one and the same."""
    for name in "0123456789abcdef":
        link(tmp_path / name, ".")
    (tmp_path / "page.html").write_bytes(b"<p>a page\n" * 150)
    existing = 4 * ENTRIES
    others = (200_000 - existing) // 2
    requests = many(existing, others, others)
    with tpserver("--root", ".", "--access-log", "none", cwd=tmp_path) as server:
        # The first part fills what is bounded.
        first = ask_heads(server, itertools.islice(requests, 6 * ENTRIES))
        before = taken(server, "VmRSS")
        then = ask_heads(server, requests)
        assert taken(server, "VmRSS") - before < SLACK
        assert first[200] + then[200] == existing + others
        assert first[404] + then[404] == others
        server.stop()
