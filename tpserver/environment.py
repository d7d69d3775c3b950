"""What the environment adds to the command line: systemd's sockets, PORT, IIS, FORWARDED_ALLOW_IPS, WEB_CONCURRENCY."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final, cast

from tpserver.errors import UsageError
from tpserver.http.proxies import parse_trusted_proxy
from tpserver.options.processes import parse_workers
from tpserver.system.systemd import take_sockets
from tpserver.transport.endpoint import Endpoint

# Variables that have a port, and the host that goes with it: IIS passes requests on from this machine, platforms in
# containers from others.
_PORTS: Final = (("HTTP_PLATFORM_PORT", "127.0.0.1"), ("PORT", "0.0.0.0"))


def add_environment(values: dict[str, object]) -> str:
    """Adds to the options of the command line what is not among them; where the address comes from, for the greeting.

    Raises `UsageError` for a wrong value.
    """
    if proxies := os.environ.get("FORWARDED_ALLOW_IPS"):
        values.setdefault("trusted_proxy", _trusted_proxies(proxies))
    if (workers := os.environ.get("WEB_CONCURRENCY")) and "reload" not in values:
        values.setdefault("workers", _workers(workers))
    return _add_address(values)


def _trusted_proxies(text: str) -> list[object]:
    """The value of FORWARDED_ALLOW_IPS, as gunicorn has it."""
    try:
        return [parse_trusted_proxy(one.strip()) for one in text.split(",") if one.strip()]
    except ValueError as error:
        raise UsageError(f"FORWARDED_ALLOW_IPS: {error}") from None


def _workers(text: str) -> int:
    try:
        return parse_workers(text)
    except ValueError as error:
        raise UsageError(f"WEB_CONCURRENCY in the environment: {error}; --workers N is used instead of it") from None


def _add_address(values: dict[str, object]) -> str:
    sockets = take_sockets()
    if sockets and not {"bind", "host", "port"} & values.keys():
        values["bind"] = tuple(Endpoint(descriptor=descriptor) for descriptor in sockets)
        return "sockets from systemd"
    bind = cast(Sequence[Endpoint], values.get("bind", ()))
    if "port" in values or (bind and not any(one.host and one.port is None for one in bind)):
        return ""
    for name, host in _PORTS:
        if text := os.environ.get(name, ""):
            if re.fullmatch(r"[0-9]{1,5}", text) is None or int(text) > 65535:
                raise UsageError(f"{name}={text} in the environment is not a port; change it, or use --port N")
            values["port"] = int(text)
            if not bind:
                values.setdefault("host", host)
            return f"port from {name}"
    return ""
