"""What is said about an address that cannot be bound."""

from __future__ import annotations

import errno

import pytest

from tpserver.system.network import bind_advice


class Refused(OSError):
    """As Windows refuses an address: its own number beside errno, which other systems' errors do not have."""

    winerror: int | None = None


@pytest.mark.parametrize("port", [80, 50_000])
def test_a_port_that_windows_has_reserved_is_explained(port: int) -> None:
    error = Refused(errno.EACCES, "An attempt was made to access a socket in a way forbidden by its access permissions")
    error.winerror = 10013
    advice = bind_advice(error, port)
    assert "netsh int ipv4 show excludedportrange tcp" in advice
    assert "administrator" not in advice


def test_elsewhere_a_low_port_may_need_an_administrator() -> None:
    error = PermissionError(errno.EACCES, "Permission denied")
    assert bind_advice(error, 80) == "; ports below 1024 may need an administrator"
    assert bind_advice(error, 8080) == ""
