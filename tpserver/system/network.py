"""What the system tells about addresses and ports: who has one, and where this machine is found."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from typing import Final

_LISTENING = "0A"
# An error of Windows, whose errno is EACCES.
_WSAEACCES: Final = 10013


def port_holder(port: int) -> str | None:
    """Name and number of a process that listens on a TCP port; None where it cannot be told. Linux only."""
    wanted = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
            wanted |= {f"socket:[{row[9]}]" for row in rows if row[3] == _LISTENING and row[1].endswith(f":{port:04X}")}
    if not wanted:
        return None
    for number in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it is another user's, or has ended
            for descriptor in os.listdir(f"/proc/{number}/fd"):
                if os.readlink(f"/proc/{number}/fd/{descriptor}") in wanted:
                    with open(f"/proc/{number}/comm", encoding="utf-8", errors="replace") as name:
                        return f"{name.read().strip()} (process {number})"
    return None


def bind_advice(error: Exception, port: int, option: str = "--port") -> str:
    """What to do about an address that cannot be bound, to be put behind the reason. `option` names the port."""
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        holder = port_holder(port)
        advice = "--port 0 takes a free port" if option == "--port" else f"take another {option}"
        return f"{f' by {holder}' if holder else ''}; {advice}"
    if getattr(error, "winerror", None) == _WSAEACCES:
        return (
            "; Windows has reserved the port (netsh int ipv4 show excludedportrange tcp lists such ranges), or another"
            f" program has it for itself; take another {option}"
        )
    return "; ports below 1024 may need an administrator" if number == errno.EACCES and port < 1024 else ""


def reachable_at(host: str) -> list[str]:
    """The addresses at which other devices find a server that listens on `host`, where that is all addresses.

    The one of the usual way out comes first.
    """
    if host not in ("0.0.0.0", "::"):
        return []
    found = [_way_out(socket.AF_INET, "192.0.2.1"), *_ipv4_addresses()]
    if host == "::":
        found += [_way_out(socket.AF_INET6, "2001:db8::1")]
    return [one for one in dict.fromkeys(found) if one and not one.startswith(_NOT_FOR_OTHERS)]


# Loopback, link-local, unspecified.
_NOT_FOR_OTHERS: Final = ("127.", "169.254.", "0.", "::1", "fe80:")
# Interfaces between this machine and what runs on it.
_INTERNAL: Final = ("docker", "br-", "veth", "virbr", "vmnet", "lo")
# ioctl SIOCGIFADDR (netdevice(7)), and where the address is in its answer.
_ADDRESS_OF_INTERFACE: Final = 0xC0206921 if sys.platform == "darwin" else 0x8915
_ADDRESS: Final = slice(20, 24)


def _way_out(family: int, beyond: str) -> str:
    """The address that packets to others are sent from; nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((beyond, 9))
        return str(sock.getsockname()[0])
    return ""


def _ipv4_addresses() -> list[str]:
    """One of each interface, in their order."""
    found: list[str] = []
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            return socket.gethostbyname_ex(socket.gethostname())[2]  # asks no other machine
    elif sys.platform in ("linux", "darwin"):
        import fcntl

        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _, name in socket.if_nameindex():
                if not name.startswith(_INTERNAL):
                    with contextlib.suppress(OSError):  # it has none
                        answer = fcntl.ioctl(sock, _ADDRESS_OF_INTERFACE, name.encode()[:15].ljust(256, b"\0"))
                        found.append(socket.inet_ntoa(answer[_ADDRESS]))
    return found
