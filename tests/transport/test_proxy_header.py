"""The header of the PROXY protocol: what is read of it, cut at every byte, and what is refused at once."""

from __future__ import annotations

import socket
import struct

import pytest

from tpserver.transport.proxy_header import ProxyHeader, parse_proxy_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
IPV4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.2") + struct.pack("!HH", 4711, 443)


def inet6(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, address)


IPV6 = inet6("2001:db8::1") + inet6("2001:db8::2") + struct.pack("!HH", 4711, 443)
UNIX = b"/run/client".ljust(108, b"\0") + b"/run/server".ljust(108, b"\0")


def v2(kind: int, block: bytes, command: int = 0x21, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, kind, len(block) if length is None else length) + block


def field(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def tls(client: int) -> bytes:
    return field(0x20, struct.pack("!BI", client, 0) + field(0x21, b"TLSv1.3"))


HEADERS = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n", ("192.0.2.1", 4711), False),
    (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", ("0.0.0.0", 0), False),
    (b"PROXY TCP6 2001:db8::1 ::1 4711 443\r\n", ("2001:db8::1", 4711), False),
    (b"PROXY TCP6 2001:DB8:0:0:0::1 ::1 4711 443\r\n", ("2001:db8::1", 4711), False),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 4711 443\r\n", ("192.0.2.1", 4711), False),
    (
        b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n",  # 104 bytes
        (":".join(["ffff"] * 8), 65535),
        False,
    ),
    (b"PROXY UNKNOWN\r\n", None, False),
    (b"PROXY UNKNOWN " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n", None, False),  # 107
    (v2(0x11, IPV4), ("192.0.2.1", 4711), False),
    (v2(0x21, IPV6), ("2001:db8::1", 4711), False),
    (v2(0x21, inet6("::ffff:192.0.2.1") + IPV6[16:]), ("192.0.2.1", 4711), False),
    (v2(0x31, UNIX), "", False),
    (v2(0x11, IPV4 + field(0x04, b"padding") + tls(0x01) + field(0x02, b"www.example")), ("192.0.2.1", 4711), True),
    (v2(0x11, IPV4 + tls(0x07)), ("192.0.2.1", 4711), True),
    (v2(0x11, IPV4 + tls(0x00)), ("192.0.2.1", 4711), False),
    (v2(0x11, IPV4 + field(0x20, b"")), ("192.0.2.1", 4711), False),
    (v2(0x11, IPV4 + field(0x04, bytes(2048 - 12 - 3))), ("192.0.2.1", 4711), False),
    (v2(0x11, IPV4 + field(0x04, b"") * 678), ("192.0.2.1", 4711), False),
    (v2(0x00, b""), None, False),
    (v2(0x00, b"whatever this is"), None, False),
    (v2(0x00, b"", command=0x20), None, False),  # LOCAL: such as a check of health
    (v2(0x11, IPV4, command=0x20), None, False),
    (v2(0x55, b"anything", command=0x20), None, False),
]


@pytest.mark.parametrize(("header", "address", "secure"), HEADERS)
def test_a_header_cut_at_every_byte(header, address, secure):
    for end in range(len(header)):
        assert parse_proxy_header(header[:end]) is None, end
    for behind in (b"", b"G", b"\r\n", b"GET / HTTP/1.1\r\n\r\n", header):
        assert parse_proxy_header(header + behind) == ProxyHeader(len(header), address, secure)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n", b"G", b"\x16\x03\x01", b"PROXY\t", b"proxy ", b" PROXY", b"\r\n\r\nG",
        SIGNATURE[:11] + b"X",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\n\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 4711\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443 \r\n",
        b"PROXY TCP4  192.0.2.1 198.51.100.2 4711 443\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.2 4711 443\r\n",
        b"PROXY TCP4 192.0.2 198.51.100.2 4711 443\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 4711 443\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.2 4711 443\r\n",
        b"PROXY TCP6 2001:db8:::1 ::1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 99999\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 04711 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.2 4711 443\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",  # 108 bytes
        b"PROXY TCP4 " + b"1" * 96,
        b"PROXY " + b"x" * 70_000,
        v2(0x11, IPV4, command=0x11), v2(0x11, IPV4, command=0x22), v2(0x11, IPV4, command=0x2F),
        v2(0x12, IPV4), v2(0x22, IPV6), v2(0x10, IPV4), v2(0x41, IPV4), v2(0x01, IPV4),
        v2(0x11, IPV4[:-1]), v2(0x21, IPV4), v2(0x31, IPV6), v2(0x11, b""),
        v2(0x11, IPV4 + b"\x04"), v2(0x11, IPV4 + b"\x04\x00"), v2(0x11, IPV4 + b"\x04\x00\x01"),
        v2(0x11, IPV4 + field(0x04, b"a") + b"\x20\xff\xff" + b"a"),
        v2(0x11, b"", length=2049), v2(0x00, b"", length=65535), v2(0x00, b"", command=0x20, length=2049),
    ],
)  # fmt: skip
def test_what_is_no_header_is_refused(data):
    with pytest.raises(ValueError, match="PROXY protocol"):
        parse_proxy_header(data)


def test_what_cannot_become_a_header_is_refused_before_all_of_it_has_come():
    for data in (v2(0x12, b"", length=12), v2(0x11, b"", length=11), v2(0x11, b"", length=3000)):
        with pytest.raises(ValueError, match="PROXY protocol"):
            parse_proxy_header(data)
