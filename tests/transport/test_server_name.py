"""The host that a client names in its first message, however that is cut, and the context that it gets."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from tpserver.transport.server_name import Contexts, server_name


def first_message(name: str | None) -> bytes:
    """The record that a client begins with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def in_records(record: bytes, size: int) -> bytes:
    """The same message in several records."""
    message = record[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(record[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def with_extensions(extensions: bytes) -> bytes:
    """A message that a test writes itself."""
    body = bytes(34) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + len(extensions).to_bytes(2, "big") + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


@pytest.mark.parametrize("name", ["a.example", "A.Example", "x" * 60 + ".example", None])
@pytest.mark.parametrize("size", [100, 400, 100_000])
def test_a_message_cut_at_every_byte(name: str | None, size: int) -> None:
    data = in_records(first_message(name), size)
    for end in range(len(data)):
        assert server_name(data[:end]) is None, end
    for behind in (b"", b"\x14", data):
        assert server_name(data + behind) == (name or "")


def name_of(text: bytes) -> bytes:
    size = len(text).to_bytes(2, "big")
    entry = b"\x00" + size + text
    entries = len(entry).to_bytes(2, "big") + entry
    return b"\x00\x00" + len(entries).to_bytes(2, "big") + entries


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (with_extensions(name_of(b"a.example")), "a.example"),
        (with_extensions(b"\x00\x17\x00\x00" + name_of(b"a.example")), "a.example"),
        (with_extensions(b"\x00\x17\x00\x03abc"), ""),
        (with_extensions(b""), ""),
        (with_extensions(name_of(b"a\xff.example")), ""),
        (with_extensions(name_of("\xe4.example".encode())), ""),
        (with_extensions(b"\x00\x00\x00\x00"), ""),
        (with_extensions(b"\x00\x17\xff\xff"), ""),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", ""),
        (b"\x16\x03\x01\x00\x27\x01\x00\x00\x23" + bytes(34) + b"\xff", ""),
        (b"\x16\x03\x01\x00\x00" * 16, ""),
        (b"\x16\x03\x01\x00\x01\x01" * 16, ""),
        (b"\x16\x03\x01\x00\x01\x01\x15\x03\x01\x00\x01\x00", ""),
        (b"\x16\x03\x01\x00\x01\x01" * 15, None),
    ],
)
def test_messages_that_few_clients_send(data: bytes, name: str | None) -> None:
    assert server_name(data) == name


def test_the_name_decides_which_context_a_client_gets() -> None:
    first, one, two = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(3))
    contexts = Contexts(first, {"a.example": one, "*.b.example": two})
    for name, expected in {
        "a.example": one, "A.EXAMPLE.": one, "x.b.example": two, "b.example": first, "x.y.b.example": first, "": first,
    }.items():  # fmt: skip
        chosen: Any = contexts.choose(name)
        assert chosen is expected, name
