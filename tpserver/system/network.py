"""What the system tells about addresses and ports: who has one, and where this machine is found."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

_LISTENING = "0A"


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


def bind_advice(error: Exception, port: int) -> str:
    """What to do about an address that cannot be bound, to be put behind the reason."""
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        holder = port_holder(port)
        return f"{f' by {holder}' if holder else ''}; --port 0 takes a free port"
    return "; ports below 1024 may need an administrator" if number == errno.EACCES and port < 1024 else ""


def reachable_at(host: str) -> list[str]:
    """The addresses at which other devices find a server that listens on `host`, where that is all addresses."""
    if host not in ("0.0.0.0", "::"):
        return []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))  # sends nothing; the system says which address it would send from
        return [str(sock.getsockname()[0])]
    return []
