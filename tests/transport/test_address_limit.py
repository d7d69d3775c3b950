"""What counts as one address, where each has its limit of connections. (`test_connections.py` has the limit.)"""

from __future__ import annotations

import pytest

from tpserver.transport.listener import counted_address


@pytest.mark.parametrize(
    ("client_address", "counted"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1, 0, 0), "2001:0db8:0001:0002"),
        (("2001:db8:1:2::9", 1, 0, 0), "2001:0db8:0001:0002"),
        (("2001:db8::9", 1, 0, 0), "2001:0db8:0000:0000"),
        (("fe80::1%lo", 1, 0, 1), "fe80:0000:0000:0000"),
        (("::1", 1, 0, 0), "0000:0000:0000:0000"),
        ("/run/socket", ""),
    ],
)
def test_an_ipv6_network_counts_as_one_address(client_address, counted):
    assert counted_address(client_address) == counted
