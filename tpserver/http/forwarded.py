"""What proxies say of a client: Forwarded (RFC 7239), and X-Forwarded-For, -Proto, -Host, -Port and -Prefix.

A proxy adds to a list at its right end. So lists are read from there, and no further than to the address of the
client, which is the first that is no trusted proxy's: what stands to the left of it, the client may have written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from tpserver.errors import RequestRefused
from tpserver.http.grammar import OWS_TEXT, QUOTED_STRING_TEXT, TOKEN_TEXT, number
from tpserver.http.hosts import parse_host
from tpserver.http.proxies import TrustedProxies, parse_address
from tpserver.http.target import percent_decoded

if TYPE_CHECKING:
    from tpserver.http.proxies import Address

# Most members of a list that are read, empty ones too, and the longest of them in characters.
MAX_HOPS: Final = 100
MAX_MEMBER: Final = 1024
# Characters of a malformed value that are shown.
_SHOWN: Final = 80

# RFC 7239 6       node = nodename [ ":" node-port ] ; node-port = 1*5DIGIT / obfport
#                  nodename = IPv4address / "[" IPv6address "]" / "unknown" / obfnode
# RFC 7239 6.3     obfnode, obfport = "_" 1*( ALPHA / DIGIT / "." / "_" / "-" )
_OBFUSCATED: Final = r"_[A-Za-z0-9._\-]+"
_NODE: Final = re.compile(
    rf"(?:([0-9.]+)|\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\]|(?i:unknown)|{_OBFUSCATED})(?::(?:([0-9]{{1,5}})|{_OBFUSCATED}))?"
)
# In X-Forwarded-For an address of IPv6 has no brackets, as a rule.
_BARE_IPV6: Final = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
# RFC 7239 4       forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
#                  forwarded-pair = token "=" ( token / quoted-string ), here with white space around it
_PAIR: Final = re.compile(
    rf"[ \t]*(?:({TOKEN_TEXT.pattern})=(?:({TOKEN_TEXT.pattern})|({QUOTED_STRING_TEXT}))[ \t]*)?(?:;|\Z)"
)
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
# In a quoted string it is what a proxy has added that quotes badly, behind a quote that its client has opened.
_HIDDEN_ELEMENT: Final = re.compile(r",.*for=", re.IGNORECASE)
# RFC 3986 3.3     path-absolute, without empty segments
_PREFIX: Final = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)+")
# What, percent-decoded, would lead to another path or another host.
_NO_NAMES: Final = frozenset({"", ".", ".."})
_NOT_IN_PREFIX: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
# How a proxy may call the request that begins a WebSocket.
_WEB_SOCKETS: Final = {"ws": "http", "wss": "https"}

# What a stranger's request loses with `without_forwarded`, besides all names that begin so: the usual ways to say this.
_NAMES: Final = frozenset({"HTTP_FORWARDED", "HTTP_X_REAL_IP"})
_BEGINNING: Final = "HTTP_X_FORWARDED_"


class Client(NamedTuple):
    """What trusted proxies say of a client, and of what it has asked for. None: they do not say it."""

    address: tuple[str, int] | None = None  # the port is 0 where it is not known, the address "" where it is hidden
    scheme: str | None = None  # "http" or "https"
    host: str | None = None  # the value of its Host field
    port: str | None = None  # that it has connected to
    prefix: str | None = None  # of the path, which a proxy has taken away: "" or "/a/b", percent-decoded


def without_forwarded(fields: Mapping[str, str]) -> dict[str, str] | None:
    """The fields without those that proxies speak with; None where there are none of these."""
    names = [name for name in fields if name in _NAMES or name.startswith(_BEGINNING)]
    return {name: value for name, value in fields.items() if name not in names} if names else None


def read_client(fields: Mapping[str, str], proxies: TrustedProxies) -> Client:
    """What the fields of a request that a trusted proxy has sent say of its client. Raises `RequestRefused` (400).

    `Forwarded` and `X-Forwarded-*` may come together as long as they do not contradict each other.
    """
    address, hops = _read_addresses(fields.get("HTTP_X_FORWARDED_FOR", ""), proxies)
    element: dict[str, str] = {}
    if "HTTP_FORWARDED" in fields:
        other, element, other_hops = _read_forwarded(fields["HTTP_FORWARDED"], proxies)
        if address is None:
            address, hops = other, other_hops
        elif other is not None and other[0] != address[0]:
            raise _refused("Forwarded and X-Forwarded-For name different clients.")
    return Client(
        address,
        _agreed("Proto", _read_scheme, element.get("proto"), _member(fields, "PROTO", hops)),
        _agreed("Host", _read_host, element.get("host"), _member(fields, "HOST", hops)),
        _read_port(_member(fields, "PORT", hops)),
        _read_prefix(_member(fields, "PREFIX", hops)),
    )


def as_asked(fields: Mapping[str, str], client: Client, scheme: str = "http") -> dict[str, str]:
    """The fields of a request as if the client had sent it here, with the variables of CGI and WSGI that tell it.

    `scheme` is that of the connection.
    """
    changed = dict(fields)
    if client.host is not None:
        changed["HTTP_HOST"] = client.host
    if client.prefix:
        changed["SCRIPT_NAME"] = client.prefix
    if client.scheme is not None:
        if "https" in (scheme, client.scheme):
            changed["HTTPS"] = "on" if client.scheme == "https" else "off"
        scheme = changed["wsgi.url_scheme"] = client.scheme
    if client.scheme is not None or client.host is not None or client.port is not None:
        host, port = parse_host(changed.get("HTTP_HOST", "")) or ("", None)
        if host and not port and client.port not in (None, _DEFAULT_PORTS[scheme]):
            changed["HTTP_HOST"] = f"{host}:{client.port}"
        if host:
            changed["SERVER_NAME"] = host
        changed["SERVER_PORT"] = str(number(port)) if port else client.port or _DEFAULT_PORTS[scheme]
    return changed


def _members(value: str) -> Iterator[str]:
    """The members of a list, the last one first, without the empty ones. Raises `RequestRefused` for too many."""
    for count, member in enumerate(reversed(value.rsplit(",", MAX_HOPS))):
        member = member.strip(OWS_TEXT)
        if count == MAX_HOPS:
            raise _refused("A list of proxies has too many members.")
        if len(member) > MAX_MEMBER:
            raise _refused("A member of a list of proxies is too long.")
        if member:
            yield member


def _member(fields: Mapping[str, str], name: str, hops: int) -> str | None:
    """What the proxy that is `hops` away has added, or the farthest that has added anything. None: there is none."""
    found = None
    for member in islice(_members(fields.get(_BEGINNING + name, "")), hops):
        found = member
    return found


def _read_addresses(value: str, proxies: TrustedProxies) -> tuple[tuple[str, int] | None, int]:
    """X-Forwarded-For -> the client's address, and how many proxies have added to the list on the way from there."""
    client, hops = None, 0
    for hops, member in enumerate(_members(value), 1):  # noqa: B007
        address, client = _read_node(member)
        if address not in proxies:
            break
    return client, max(hops, 1)


def _read_forwarded(value: str, proxies: TrustedProxies) -> tuple[tuple[str, int] | None, dict[str, str], int]:
    """Forwarded -> the client's address, what the proxy says of it that it has reached, and how far away that is."""
    client, hops = None, 0
    element: dict[str, str] = {}
    for hops, element in enumerate(_elements(value), 1):  # noqa: B007
        if "for" not in element:
            break
        address, client = _read_node(element["for"])
        if address not in proxies:
            break
    return client, element, max(hops, 1)


def _elements(value: str) -> Iterator[dict[str, str]]:
    """The elements of Forwarded, the last one first. Raises `RequestRefused`.

    A member with an odd number of quotes is the end of an element: a comma stood in a quoted string.
    """
    text = ""
    for member in _members(value):
        text = f"{member},{text}" if text else member
        if len(text) > MAX_MEMBER:
            raise _refused("An element of Forwarded is too long.")
        if _QUOTED_PAIR.sub("", text).count('"') % 2 == 0:
            yield _read_element(text)
            text = ""
    if text:
        raise _malformed("Forwarded", text)


def _read_element(text: str) -> dict[str, str]:
    element: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None or (match[1] or "").lower() in element or _HIDDEN_ELEMENT.search(match[3] or ""):
            raise _malformed("Forwarded", text)
        if match[1] is not None:
            element[match[1].lower()] = match[2] or _QUOTED_PAIR.sub(r"\1", match[3][1:-1])
        at = match.end()
    return element


def _read_node(text: str) -> tuple[Address | None, tuple[str, int]]:
    """An address, None where it is hidden, and the same as `Client.address`."""
    match = _NODE.fullmatch(text)
    if match is None and _BARE_IPV6.fullmatch(text) is None:
        raise _malformed("for", text)
    written, port = (text, 0) if match is None else (match[1] or match[2], number(match[3] or ""))
    if written is None:
        return None, ("", 0)
    address = parse_address(written)
    if address is None or port > 65535:
        raise _malformed("for", text)
    return address, (str(address), port)


def _agreed(name: str, read: Callable[[str], str], *texts: str | None) -> str | None:
    """What Forwarded and X-Forwarded-* say, or the one of them that says it."""
    values = {read(text) for text in texts if text}
    if len(values) > 1:
        raise _refused(f"Forwarded and X-Forwarded-{name} contradict each other.")
    return values.pop() if values else None


def _read_scheme(text: str) -> str:
    scheme = _WEB_SOCKETS.get(text.lower(), text.lower())
    if scheme not in _DEFAULT_PORTS:
        raise _malformed("proto", text)
    return scheme


def _read_host(text: str) -> str:
    parsed = parse_host(text)
    if parsed is None or not parsed[0]:
        raise _malformed("host", text)
    return text


def _read_port(text: str | None) -> str | None:
    if text is None:
        return None
    if _PORT.fullmatch(text) is None or not 0 < number(text) < 65536:
        raise _malformed("port", text)
    return str(number(text))


def _read_prefix(text: str | None) -> str | None:
    if text is None:
        return None
    written = text.removesuffix("/")
    prefix = percent_decoded(written)
    wrong = _NOT_IN_PREFIX.search(prefix) is not None or not _NO_NAMES.isdisjoint(prefix.split("/")[1:])
    if wrong or (written and _PREFIX.fullmatch(written) is None):
        raise _malformed("prefix", text)
    return prefix


def _malformed(what: str, text: str) -> RequestRefused:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return _refused(f"A proxy has sent {shown!a} as {what}, which is malformed.")


def _refused(detail: str) -> RequestRefused:
    return RequestRefused(400, detail, close=True, cause="forwarded")
