"""The corpus of raw requests gets the same answers over TLS as in clear text."""

from __future__ import annotations

import contextlib
import re
import ssl
from typing import Any

import pytest

from tests.client import exchange
from tests.http.corpus import KINDS, cases
from tests.running import Running, Start
from tests.tls.client import Peer


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode("latin-1"), content]


def encrypted_exchange(server: Running, data: bytes) -> bytes:
    got = b""
    with Peer(server) as peer:
        peer.shake_hands()
        peer.send(data)
        peer.end()
        with contextlib.suppress(ssl.SSLEOFError):  # where a content was cut off
            while piece := peer.read():
                got += piece
    return got


def without_date(data: bytes) -> bytes:
    return re.sub(rb"\r\nDate: [^\r]*", b"", data)


@pytest.mark.parametrize("part", range(10))
def test_the_answers_are_the_same(start: Start, start_tls: Start, part: int) -> None:
    clear, encrypted = start(echo), start_tls(echo)
    different = [
        case.id
        for case in [case for kind in KINDS for case in cases(kind)][part::10]
        if without_date(encrypted_exchange(encrypted, case.data)) != without_date(exchange(clear, case.data))
    ]
    assert different == []
