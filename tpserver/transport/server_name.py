"""The host that a client of TLS names (SNI), and the context that it gets: bytes in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import ssl

# RFC 8446 5.1: type, version and length of a record.
_HEADER: Final = 5
_HANDSHAKE: Final = 0x16
# Records of a message that are put together. Clients send one, or two.
_MOST_RECORDS: Final = 16
# RFC 8446 4.1.2: what stands before the session id: type and length of the message, version, 32 random bytes.
_BEFORE_SESSION: Final = 4 + 2 + 32
# RFC 6066 3: the type of the extension.
_SERVER_NAME: Final = 0


class Contexts(NamedTuple):
    """Those of one server, by the host names of their certificates, in lower case; names may begin with `*.`."""

    first: ssl.SSLContext  # for clients that name no host, or another one
    by_name: Mapping[str, ssl.SSLContext] = {}

    def choose(self, name: str) -> ssl.SSLContext:
        """For the host that a client names."""
        host = name.lower().rstrip(".")
        return self.by_name.get(host) or self.by_name.get("*." + host.partition(".")[2]) or self.first


def server_name(data: bytes) -> str | None:
    """The host that the first message of a client names; "": none, or none that can be read. None: more is needed.

    `data` are its records, from the first byte on. OpenSSL tells the client what is wrong with them.
    """
    message = b""
    at = 0
    for _ in range(_MOST_RECORDS):
        end = at + _HEADER + _number(data, at + 3)
        if len(data) < max(end, at + _HEADER):
            return None
        if data[at] != _HANDSHAKE:
            return ""
        message += data[at + _HEADER : end]
        at = end
        if len(message) >= 4 + int.from_bytes(message[1:4], "big") > 4:
            return _name_in(message)
    return ""


def _name_in(message: bytes) -> str:
    try:
        at = _BEFORE_SESSION
        at += 1 + message[at]
        at += 2 + _number(message, at)  # cipher suites
        at += 1 + message[at]  # compression methods
        end = at + 2 + _number(message, at)
        at += 2
        while at < end:
            kind, length = _number(message, at), _number(message, at + 2)
            if kind == _SERVER_NAME:  # a list: its length, and of the only name its type and its length
                return message[at + 9 : at + 9 + _number(message, at + 7)].decode("ascii")
            at += 4 + length
    except (IndexError, UnicodeDecodeError):
        pass
    return ""


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")
