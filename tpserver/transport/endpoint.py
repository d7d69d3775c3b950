"""One address to listen on, as it is written: HOST:PORT, [IPV6]:PORT, unix:PATH, unix:@NAME, fd:N."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_HOST_AND_PORT: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*):([0-9]{1,5})")
_UNIX: Final = re.compile(r"unix:(?://)?(.*)", re.DOTALL)
_DESCRIPTOR: Final = re.compile(r"fd:(?://)?(.*)", re.DOTALL)


class Endpoint(NamedTuple):
    """An address to listen on: one of a host, a path and a descriptor."""

    host: str = ""  # a name or an IP address without brackets
    port: int | None = None  # of the host; 0: a free one; None: not said
    path: str = ""  # of a unix socket; @NAME: an abstract one
    descriptor: int | None = None  # a socket that the process has got from its parent

    def __str__(self) -> str:
        """As `parse_endpoint` reads it."""
        if self.path:
            return f"unix:{self.path}"
        if self.descriptor is not None:
            return f"fd:{self.descriptor}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """An address as it is written -> its parts. `*` and an empty host are 0.0.0.0. Raises ValueError."""
    if (match := _UNIX.fullmatch(text)) is not None:
        if not match[1].removeprefix("@") or "\0" in match[1]:
            raise ValueError(f"{text!r} names no unix socket; write unix:/PATH")
        return Endpoint(path=match[1])
    if (match := _DESCRIPTOR.fullmatch(text)) is not None:
        if not re.fullmatch(r"[0-9]{1,9}", match[1]):
            raise ValueError(f"{text!r} names no descriptor; write fd:N, such as fd:3")
        return Endpoint(descriptor=int(match[1]))
    host, port = re.sub(r"^(http|tcp)://", "", text).removesuffix("/"), None
    if (match := _HOST_AND_PORT.fullmatch(host)) is not None:
        host, port = match[1], int(match[2])
        if port > 65535:
            raise ValueError(f"{text!r}: a port is 65535 at most")
    elif re.fullmatch(r"[0-9]+", host):
        raise ValueError(f"{text!r} is no address; write 127.0.0.1:{host}, or 0.0.0.0:{host} for all addresses")
    elif not host:
        raise ValueError(f"{text!r} is no address; write HOST:PORT, [IPV6]:PORT, unix:PATH or fd:N")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise ValueError(f"{text!r}: only an IPv6 address stands in brackets")
    if re.search(r"[\s/\\\[\]\0]", host) or (":" in host and re.search(r"[^0-9A-Fa-f:.]", host.partition("%")[0])):
        raise ValueError(f"{text!r} is no address; write HOST:PORT, [IPV6]:PORT, unix:PATH or fd:N")
    return Endpoint("0.0.0.0" if host in ("", "*") else host, port)
