"""How many connections one address may have, and what counts as one address."""

from __future__ import annotations

import pytest

from tpserver.engine.address_limit import AddressLimit


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
    assert AddressLimit(1).counted(client_address) == counted
    assert AddressLimit(0).counted(client_address) == ""


def test_no_more_than_the_limit_until_one_leaves():
    limit = AddressLimit(2)
    assert [limit.admit("a") for _ in range(3)] == [True, True, False]
    assert limit.admit("b")
    limit.release("a")
    assert [limit.admit("a") for _ in range(2)] == [True, False]
    for address in "aab":
        limit.release(address)
    assert limit._counts == {}
