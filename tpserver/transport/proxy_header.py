"""The header with which a proxy begins a connection, to say who its client is: the PROXY protocol, versions 1 and 2.

https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
"""

from __future__ import annotations

import re
import socket
from typing import Final, NamedTuple

from tpserver.transport.protocol import MAPPED_BYTES, Address

_V1: Final = b"PROXY "
# 2.1: the longest line, with its CRLF.
_V1_LONGEST: Final = 107
_V1_LINE: Final = re.compile(
    rb"PROXY (?:(TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
    rb"|UNKNOWN(?: .*)?)\r\n"
)
# 2.2: signature, version and command, family and protocol, length of what follows.
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_BEGINNING: Final = 16
# Bytes that may follow: addresses take 216 at the most, the rest is for fields such as the names in a certificate.
_V2_LONGEST: Final = 2048
_LOCAL, _PROXY = 0x20, 0x21
_UNSPEC: Final = 0x00
# Family and protocol -> bytes of both addresses with their ports. Streams only: TCP of IPv4 and IPv6, unix sockets.
_SIZES: Final = {0x11: 12, 0x21: 36, 0x31: 216}
# 2.2.6: the type of the field that tells of TLS, and the bit that says that the client has used it.
_TLS_FIELD: Final = 0x20
_TLS_USED: Final = 0x01


class ProxyHeader(NamedTuple):
    """`client_address` is None where the connection is the proxy's own, or the client is not known."""

    length: int  # in bytes
    client_address: Address | None
    secure: bool = False  # the client speaks TLS with the proxy


class NoProxyHeader(ValueError):
    """The bytes are something else, such as HTTP."""


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header at the beginning of `data`; None: more is needed.

    Raises ValueError where it is malformed, `NoProxyHeader` where there is none.
    """
    if data[: len(_V1)] == _V1[: len(data)]:
        return _parse_v1(data)
    if data[: len(_V2)] == _V2[: len(data)]:
        return _parse_v2(data)
    raise NoProxyHeader("the connection does not begin with a header of the PROXY protocol")


def _parse_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_LONGEST) + 2
    if end < 2:
        if len(data) >= _V1_LONGEST:
            raise ValueError("a header of the PROXY protocol, version 1, is longer than 107 bytes")
        return None
    match = _V1_LINE.fullmatch(data, 0, end)
    if match is None:
        raise ValueError("a header of the PROXY protocol, version 1, is malformed")
    if match[1] is None:
        return ProxyHeader(end, None)
    family = socket.AF_INET if match[1] == b"TCP4" else socket.AF_INET6
    try:
        source, _ = (socket.inet_pton(family, match[group].decode("ascii")) for group in (2, 3))
    except OSError:
        raise ValueError("an address in a header of the PROXY protocol, version 1, is malformed") from None
    port = int(match[4])
    if port > 65535 or int(match[5]) > 65535:
        raise ValueError("a port in a header of the PROXY protocol, version 1, is malformed")
    return ProxyHeader(end, (_address(source), port))


def _parse_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < _V2_BEGINNING:
        return None
    command, kind, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise ValueError(f"a header of the PROXY protocol is malformed: there is no command {command:#04x}")
    if length > _V2_LONGEST:
        raise ValueError(f"a header of the PROXY protocol is longer than {_V2_BEGINNING + _V2_LONGEST} bytes")
    end = _V2_BEGINNING + length
    if command == _PROXY and kind != _UNSPEC and kind not in _SIZES:
        raise ValueError(f"a header of the PROXY protocol is malformed: {kind:#04x} is no kind of stream")
    size = _SIZES.get(kind, 0)
    if command == _PROXY and length < size:
        raise ValueError("a header of the PROXY protocol is malformed: too short for its addresses")
    if len(data) < end:
        return None
    if command == _LOCAL or kind == _UNSPEC:
        return ProxyHeader(end, None)
    block = data[_V2_BEGINNING : _V2_BEGINNING + size]
    secure = _uses_tls(data[_V2_BEGINNING + size : end])
    if size > 36:  # a unix socket: its clients have no address
        return ProxyHeader(end, "", secure)
    width = (size - 4) // 2
    return ProxyHeader(end, (_address(block[:width]), int.from_bytes(block[-4:-2], "big")), secure)


def _uses_tls(fields: bytes) -> bool:
    """Whether one of the fields behind the addresses (type, length, value) says so. Raises ValueError."""
    secure = False
    at = 0
    while at < len(fields):
        kind, length = fields[at], int.from_bytes(fields[at + 1 : at + 3], "big")
        value = fields[at + 3 : at + 3 + length]
        if len(fields) < at + 3 or len(value) < length:
            raise ValueError("a header of the PROXY protocol is malformed: a field is cut off")
        if kind == _TLS_FIELD:
            secure = bool(value) and bool(value[0] & _TLS_USED)
        at += 3 + length
    return secure


def _address(packed: bytes) -> str:
    """4 or 16 bytes -> the text of an address; one of IPv4 that is written as IPv6 becomes what it is."""
    if packed.startswith(MAPPED_BYTES):
        packed = packed[-4:]
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
