"""What trusted proxies say of a client: by hops from the right, and nothing to the left of the client's address."""

from __future__ import annotations

import pytest

from tpserver.errors import RequestRefused
from tpserver.http.forwarded import MAX_HOPS, Client, as_asked, read_client, without_forwarded
from tpserver.http.proxies import TrustedProxies, parse_trusted_proxy

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:ffff::/48"])


def read(**fields: str) -> Client:
    """`fields` as FORWARDED, FOR, PROTO, HOST, PORT and PREFIX."""
    return read_client(
        {
            "HTTP_FORWARDED" if name == "FORWARDED" else f"HTTP_X_FORWARDED_{name}": text
            for name, text in fields.items()
        },
        PROXIES,
    )


ADDRESSES = [
    ("192.0.2.1", ("192.0.2.1", 0)),
    ("192.0.2.1:4711", ("192.0.2.1", 4711)),
    ("2001:db8::1", ("2001:db8::1", 0)),
    ("2001:DB8:0::1", ("2001:db8::1", 0)),
    ("[2001:db8::1]", ("2001:db8::1", 0)),
    ("[2001:db8::1]:4711", ("2001:db8::1", 4711)),
    ("::ffff:192.0.2.1", ("192.0.2.1", 0)),
    ("[::ffff:192.0.2.1]:80", ("192.0.2.1", 80)),
    ("192.0.2.1:_port", ("192.0.2.1", 0)),
    ("unknown", ("", 0)),
    ("UNKNOWN", ("", 0)),
    ("_hidden", ("", 0)),
    ("_SEVKISEK.a-b:80", ("", 0)),
]
MALFORMED = [
    "192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:x", "[2001:db8::1",
    "2001:db8:::1", "[192.0.2.1]", "fe80::1%eth0", "host.example", "_", "_a b", "-", "192.0.2.1 192.0.2.2",
    "'192.0.2.1'", "1" * 2000, "\u0661\u0662.0.2.1",
]  # fmt: skip


@pytest.mark.parametrize(("text", "address"), ADDRESSES)
def test_the_address_of_a_client(text, address):
    assert read(FOR=text).address == address
    assert read(FORWARDED=f'for="{text}"').address == address


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_address_of_a_trusted_proxy_is_refused(text):
    with pytest.raises(RequestRefused) as refused:
        read(FOR=text)
    assert refused.value.status == 400
    with pytest.raises(RequestRefused):
        read(FORWARDED=f'for="{text}"')


@pytest.mark.parametrize(
    ("listed", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),  # what the client has written itself
        ('garbage", for=, 192.0.2.1', "192.0.2.1"),
        ("192.0.2.1, 10.1.1.1", "192.0.2.1"),
        ("203.0.113.9,192.0.2.1,10.1.1.1,10.1.1.2", "192.0.2.1"),
        ("10.9.9.9, 192.0.2.1", "192.0.2.1"),  # a client that names a trusted proxy
        ("192.0.2.1, 2001:db8:ffff::2, 10.1.1.1", "192.0.2.1"),
        ("10.1.1.1", "10.1.1.1"),  # a proxy that asks for itself
        ("10.1.1.2, 10.1.1.1", "10.1.1.2"),
        ("192.0.2.1, unknown, 10.1.1.1", ""),
        (", ,192.0.2.1,, ,10.1.1.1 ,\t", "192.0.2.1"),
        ("," * 60_000 + "192.0.2.1", "192.0.2.1"),
        ("x" * 60_000 + ", 192.0.2.1", "192.0.2.1"),
    ],
)
def test_the_client_is_the_last_that_is_no_trusted_proxy(listed, client):
    address = read(FOR=listed).address
    assert address is not None
    assert address[0] == client


@pytest.mark.parametrize("text", ["", " ", ",", ", ,\t,"])
def test_an_empty_list_names_no_client(text):
    assert read(FOR=text, FORWARDED=text) == Client()


@pytest.mark.parametrize("text", ["," * 60_000, "10.0.0.1," * (MAX_HOPS + 1), "10.0.0.1" + "," * MAX_HOPS])
def test_more_hops_than_are_read_are_refused(text):
    with pytest.raises(RequestRefused, match="too many"):
        read(FOR=text)
    with pytest.raises(RequestRefused):
        read(FORWARDED=text)


def test_all_hops_that_are_read_may_be_proxies():
    assert read(FOR="192.0.2.1" + ",10.0.0.1" * (MAX_HOPS - 1)).address == ("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("for=192.0.2.1", Client(("192.0.2.1", 0))),
        ("For=192.0.2.1;Proto=HTTPS", Client(("192.0.2.1", 0), "https")),
        ('for="[2001:db8::1]:47011";host="a.example:8443";proto=http;by=_x',
         Client(("2001:db8::1", 47011), "http", "a.example:8443")),
        ('for=192.0.2.1 ; proto=https ;host=a.example;', Client(("192.0.2.1", 0), "https", "a.example")),
        (r'for="192\.0.2.1"', Client(("192.0.2.1", 0))),
        ("for=203.0.113.9;host=evil.example, for=192.0.2.1;proto=https, for=10.1.1.1;proto=http;host=inner.example",
         Client(("192.0.2.1", 0), "https")),
        ('for="203.0.113.9, for=192.0.2.1;proto=https', Client(("192.0.2.1", 0), "https")),  # an open quote of a client
        ("proto=https;host=a.example", Client(None, "https", "a.example")),
        ("for=_hidden;proto=https", Client(("", 0), "https")),
        ("for=192.0.2.1;secret=\"a b\"", Client(("192.0.2.1", 0))),
        ("for=192.0.2.1, , for=10.0.0.1,", Client(("192.0.2.1", 0))),
        ("for=192.0.2.1;;proto=https", Client(("192.0.2.1", 0), "https")),
        (";for=192.0.2.1; ;", Client(("192.0.2.1", 0))),
        (";;;", Client()),
        ('for=192.0.2.1;ext="a, b";proto=https', Client(("192.0.2.1", 0), "https")),
        (r'for=192.0.2.1;a="x\\\", y";b=",";c=",,";proto=http, for=10.0.0.1;d="e,"', Client(("192.0.2.1", 0), "http")),
        ('for="203.0.113.9, for=192.0.2.1;a=",", for=10.1.1.1', Client(("192.0.2.1", 0))),
        ("for=192.0.2.1;proto=wss", Client(("192.0.2.1", 0), "https")),
    ],
)  # fmt: skip
def test_forwarded_of_rfc_7239(text, client):
    assert read(FORWARDED=text) == client


@pytest.mark.parametrize(
    "text",
    [
        "for", "for=", "=192.0.2.1", "for=192.0.2.1;for=192.0.2.2", "for=192.0.2.1:80", "for=[2001:db8::1]",
        'for="192.0.2.1', 'for=192.0.2.1"', "for = 192.0.2.1", "for=192.0.2.1 proto=https", "; x", "=;", "192.0.2.1",
        "for=192.0.2.1;proto=ftp", "for=192.0.2.1;host=a/b", 'for=192.0.2.1;host="a b"',
        "for=192.0.2.1;a=" + "b" * 2000,
        'for=192.0.2.1;a="' + "b" * 600 + "," + "b" * 600 + '"', 'for=192.0.2.1;a=", "b"', 'a, for=192.0.2.1"',
        # A proxy that quotes badly has added the second element: host=";y="z".
        'for=203.0.113.9;x=", for=192.0.2.1;host=";y="z"', 'for=203.0.113.9;x=", proto=http;For=192.0.2.1;host=";y="z"',
    ],
)  # fmt: skip
def test_a_malformed_forwarded_of_a_trusted_proxy_is_refused(text):
    with pytest.raises(RequestRefused) as refused:
        read(FORWARDED=text)
    assert (refused.value.status, refused.value.close) == (400, True)


@pytest.mark.parametrize(
    ("values", "listed", "chosen"),
    [
        ("https", "192.0.2.1", "https"),
        ("https", "192.0.2.1, 10.0.0.1", "https"),  # the outer proxy sets it, the inner one passes it on
        ("https, http", "192.0.2.1, 10.0.0.1", "https"),  # both add to it
        ("https, http", "192.0.2.1", "http"),  # the left one is the client's
        ("x, https, http", "192.0.2.1, 10.0.0.1", "https"),
        ("https, http", "", "http"),
        ("https,", "192.0.2.1", "https"),
        ("", "192.0.2.1", None),
    ],
)
def test_the_scheme_is_told_by_the_proxy_that_the_client_has_reached(values, listed, chosen):
    assert read(PROTO=values, FOR=listed).scheme == chosen


@pytest.mark.parametrize(
    ("values", "forwarded", "chosen"),
    [
        ("https, http", "for=192.0.2.1, for=10.0.0.1", "https"),
        ("https, http", "for=203.0.113.9, for=192.0.2.1", "http"),
        ("https, http", "", "http"),
        ("wss", "for=192.0.2.1", "https"),
        ("WS", "", "http"),
    ],
)
def test_the_hops_are_those_of_forwarded_where_nothing_else_tells_them(values, forwarded, chosen):
    assert read(PROTO=values, FORWARDED=forwarded).scheme == chosen


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PROTO", "ftp"), ("PROTO", "https;"), ("HOST", "a b"), ("HOST", "a.example/"), ("HOST", ":80"),
        ("HOST", "[::1"), ("HOST", "a@b"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "+80"), ("PORT", "\u0661"),
        ("PREFIX", "app"), ("PREFIX", "//evil.example"), ("PREFIX", "/a/../b"), ("PREFIX", "/%2e%2e/b"),
        ("PREFIX", "/a//b"), ("PREFIX", "/\\evil.example"), ("PREFIX", "/%5Cevil.example"), ("PREFIX", "/a%0d%0ab"),
        ("PREFIX", "/a?b"), ("PREFIX", "/a%zz"), ("PREFIX", "/%2fevil.example"), ("PREFIX", "/a b"),
    ],
)  # fmt: skip
def test_a_malformed_value_of_a_trusted_proxy_is_refused(name, text):
    with pytest.raises(RequestRefused) as refused:
        read(**{name: text})
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("/", ""), ("/app", "/app"), ("/app/", "/app"), ("/a/b%20c", "/a/b c"), ("/%C3%A4", "/\xc3\xa4")],
)
def test_a_prefix_that_a_proxy_has_taken_away(text, prefix):
    assert read(PREFIX=text).prefix == prefix


def test_both_kinds_of_fields_that_agree():
    client = read(
        FORWARDED='for="192.0.2.1:4711";proto=https, for=10.0.0.1',
        FOR="203.0.113.9, 192.0.2.1, 10.0.0.1",
        HOST="a.example",
    )
    assert client == Client(("192.0.2.1", 0), "https", "a.example")


@pytest.mark.parametrize(
    "fields",
    [
        {"FORWARDED": "for=203.0.113.9", "FOR": "192.0.2.1"},
        {"FORWARDED": "for=_hidden", "FOR": "192.0.2.1"},
        {"FORWARDED": "for=192.0.2.1;proto=https", "FOR": "192.0.2.1", "PROTO": "http"},
        {"FORWARDED": "host=evil.example", "HOST": "a.example"},
    ],
)
def test_both_kinds_of_fields_that_contradict_each_other_are_refused(fields):
    with pytest.raises(RequestRefused) as refused:
        read(**fields)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("client", "host", "variables"),
    [
        (Client(("192.0.2.1", 0)), "a.example:81", {"HTTP_HOST": "a.example:81"}),
        (Client(scheme="https"), "a.example", {
            "HTTP_HOST": "a.example", "wsgi.url_scheme": "https", "HTTPS": "on", "SERVER_NAME": "a.example",
            "SERVER_PORT": "443"}),
        (Client(scheme="http"), "A.example.:080", {
            "HTTP_HOST": "A.example.:080", "wsgi.url_scheme": "http", "SERVER_NAME": "a.example", "SERVER_PORT": "80"}),
        (Client(host="b.example:8443"), "a.example", {
            "HTTP_HOST": "b.example:8443", "SERVER_NAME": "b.example", "SERVER_PORT": "8443"}),
        (Client(scheme="https", port="443"), "a.example", {
            "HTTP_HOST": "a.example", "wsgi.url_scheme": "https", "HTTPS": "on", "SERVER_NAME": "a.example",
            "SERVER_PORT": "443"}),
        (Client(scheme="https", port="8443"), "[::1]", {
            "HTTP_HOST": "[::1]:8443", "wsgi.url_scheme": "https", "HTTPS": "on", "SERVER_NAME": "[::1]",
            "SERVER_PORT": "8443"}),
        (Client(port="8080"), "a.example:81", {
            "HTTP_HOST": "a.example:81", "SERVER_NAME": "a.example", "SERVER_PORT": "81"}),
        (Client(port="8080"), "", {"HTTP_HOST": "", "SERVER_PORT": "8080"}),
        (Client(prefix="/app"), "a.example", {"HTTP_HOST": "a.example", "SCRIPT_NAME": "/app"}),
        (Client(prefix=""), "a.example", {"HTTP_HOST": "a.example"}),
    ],
)  # fmt: skip
def test_what_an_application_sees(client, host, variables):
    assert as_asked({"HTTP_HOST": host}, client) == variables


def test_fields_of_strangers_are_taken_away():
    plain = {"HTTP_HOST": "a.example", "HTTP_X_REQUEST_ID": "1", "HTTP_VIA": "1.1 a"}
    said = dict.fromkeys(["HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_SSL", "HTTP_X_REAL_IP"], "x")
    assert without_forwarded(plain | said) == plain
    assert without_forwarded(plain) is None


@pytest.mark.parametrize(
    ("texts", "host", "trusted"),
    [
        (["10.0.0.1"], "10.0.0.1", True),
        (["10.0.0.1"], "10.0.0.2", False),
        (["10.0.0.0/8"], "10.255.0.1", True),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["::ffff:10.0.0.1"], "10.0.0.1", True),
        (["::ffff:10.0.0.0/104"], "::ffff:10.9.9.9", True),
        (["::ffff:0:0/96"], "192.0.2.1", True),
        (["::/0"], "192.0.2.1", False),
        (["2001:db8::/32"], "2001:db8:1::1", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["2001:db8::/32"], "10.0.0.1", False),
        (["unix"], "", True),
        (["10.0.0.1"], "", False),
        (["unix"], "127.0.0.1", False),
        (["*"], "192.0.2.1", True),
        (["*"], "", True),
        ([], "192.0.2.1", False),
    ],
)
def test_which_peers_are_trusted(texts, host, trusted):
    assert TrustedProxies(map(parse_trusted_proxy, texts)).has_peer(host) is trusted


def test_a_star_trusts_the_peer_and_not_the_addresses_of_a_list():
    """Else a client could put any address at the left end of the list."""
    fields = {"HTTP_X_FORWARDED_FOR": "203.0.113.9, 192.0.2.1"}
    assert read_client(fields, TrustedProxies(["*"])).address == ("192.0.2.1", 0)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0", "proxy.example", "", "10.0.0.0/33", "::1/129", "10.0.0.1:80"])
def test_what_is_no_address_of_a_proxy_is_refused(text):
    with pytest.raises(ValueError, match="is not an address such as"):
        parse_trusted_proxy(text)


def test_a_proxy_that_is_asked_in_the_clear_and_asks_by_tls():
    seen = as_asked({"HTTP_HOST": "a.example"}, Client(scheme="http"), "https")
    assert (seen["wsgi.url_scheme"], seen["HTTPS"], seen["SERVER_PORT"]) == ("http", "off", "80")
    seen = as_asked({"HTTP_HOST": "a.example"}, Client(host="b.example"), "https")
    assert seen == {"HTTP_HOST": "b.example", "SERVER_NAME": "b.example", "SERVER_PORT": "443"}
