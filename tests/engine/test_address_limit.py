"""How many connections one address may have, and what counts as one address."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tpserver.engine.address_limit import AddressLimit, counted_address


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


def connection(client_address):
    return SimpleNamespace(client_address=client_address, counted_address="")


def test_no_more_than_the_limit_until_one_leaves():
    limit = AddressLimit(2)
    some = [connection(("192.0.2.1", port)) for port in range(4)]
    other = connection(("192.0.2.2", 1))
    assert [limit.admit(one) for one in some] == [True, True, False, False]
    assert limit.admit(other)
    for one in (some[0], some[0], some[3]):  # only the first has been counted, once
        limit.release(one)
    assert [limit.admit(one) for one in some[2:]] == [True, False]
    for one in (*some, other):
        limit.release(one)
    assert limit._counts == {}


@pytest.mark.parametrize(("limit", "client_address"), [(0, ("192.0.2.1", 1)), (1, "/run/socket")])
def test_any_number_may_come_that_is_not_counted(limit, client_address):
    addresses = AddressLimit(limit)
    assert all(addresses.admit(connection(client_address)) for _ in range(3))
