"""The rules of `--redirect`: paths that have moved, to other paths or to other servers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from tpserver.files.paths import names_of, os_text, url_name
from tpserver.files.prefixes import decoded
from tpserver.files.rules import Glob
from tpserver.http.head import Head
from tpserver.http.target import percent_encoded

# All but what a query may hold (RFC 3986 section 3.4), the percent sign of what is escaped already, and the brackets,
# which all clients send and understand unescaped.
_NOT_IN_QUERY: Final = r"[^A-Za-z0-9%/?:@!$&'()*+,;=\-._~\[\]]"
_NOT_IN_URL: Final = r"[^A-Za-z0-9%/?:@!$&'()*+,;=\-._~\[\]#]"
_CONTROL: Final = r"[\x00-\x1f\x7f-\x9f]"
_REST: Final = "/**"
# A path with more names or characters leads nowhere: each name takes some calls for each rule.
_MOST_NAMES: Final = 100
_LONGEST_PATH: Final = 4096


def query_of(head: Head) -> str:
    """The query of a request as a Location field repeats it, with its "?"; "" without one."""
    return "?" + re.sub(_NOT_IN_QUERY, percent_encoded, head.query) if head.query else ""


class RedirectRule(NamedTuple):
    """Where the paths lead that are `path`, or that match `glob`.

    `target` is a path or a URL; with `rest`, what the final `**` of the glob stands for is added behind it.
    """

    path: str
    glob: Glob | None
    target: str
    rest: int | None = None  # the names before that `**`

    def location(self, path: str, names: list[str]) -> str | None:
        """Where `path`, made of `names`, leads; None where it does not match."""
        if self.glob is None:
            return self.target if path == self.path else None
        if not self.glob.matches(path[1:]):
            return None
        if self.rest is None:
            return self.target
        # Names without slashes, which can be no host.
        rest = "/".join(map(url_name, names[self.rest :]))
        return self.target + rest + ("/" if rest and path.endswith("/") else "")


def parse_redirect(text: str) -> RedirectRule:
    """A text such as "/old=/new" or "/blog/**=https://blog.example/**" -> a rule. Raises ValueError."""
    written, equals, to = text.partition("=")
    if not (equals and written and to):
        raise ValueError(f"{text!r} is not FROM=TO, such as /old.html=/new.html or /blog/**=https://blog.example/**")
    if not written.startswith("/"):
        raise ValueError(f"{written!r} is not a path, such as /old.html, nor a glob of paths, such as /blog/**")
    target = _target(to)
    path = os_text(decoded(written))
    glob = Glob(path) if "*" in path or "?" in path else None
    if not target.endswith(_REST):
        if glob is None and to == written:
            raise ValueError(f"{written} is redirected to itself")
        return RedirectRule(path, glob, target)
    before = path.removesuffix(_REST)
    if before == path or "**" in before:
        raise ValueError(f"{to!r} ends in /**, so {written!r} has to end in its only **, which it repeats")
    return RedirectRule(path, glob, target.removesuffix("**"), len(names_of(before)))


def _target(text: str) -> str:
    if re.search(_CONTROL, text):
        raise ValueError(f"{text!r} has a control character")
    if not text.startswith("/"):
        from urllib.parse import urlsplit  # it takes some milliseconds of the start

        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{text!r} is neither a path, such as /new, nor a URL, such as https://www.example.com/")
        if not parts.netloc.isascii():
            raise ValueError(f"{text!r} has a host that is not ASCII: write it as browsers send it, with xn--")
    octets = text.encode("utf-8", "surrogateescape").decode("latin-1")
    return re.sub(_NOT_IN_URL, percent_encoded, octets)


class Redirects:
    """The rules of one server: the first that matches decides. Immutable; any thread may call."""

    def __init__(self, rules: Iterable[RedirectRule] = ()) -> None:
        self._rules = tuple(rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def location(self, head: Head) -> str | None:
        """Where a request leads, with its query; None where no rule is for its path.

        The path is that which files are found by. One with `..` has no meaning of its own, and one that would lead to
        itself is there already.
        """
        if len(head.path) > _LONGEST_PATH:
            return None
        names = names_of(os_text(head.path))
        if ".." in names or len(names) > _MOST_NAMES:
            return None
        folder = head.path.endswith(("/", "/."))
        path = "/" + "/".join(names) + ("/" if names and folder else "")
        for rule in self._rules:
            location = rule.location(path, names)
            if location is not None:
                own = "/" + "/".join(map(url_name, names)) + ("/" if names and folder else "")
                return None if _same(location, own) else _with_query(_behind_prefix(location, head), query_of(head))
        return None


def _behind_prefix(location: str, head: Head) -> str:
    """A path as the client asks for it, where a trusted proxy has taken a prefix away."""
    prefix = head.fields.get("SCRIPT_NAME", "")
    if not prefix or not location.startswith("/") or location.startswith("//"):  # another host
        return location
    return "/".join(map(url_name, os_text(prefix).split("/"))) + location


def _same(location: str, own: str) -> bool:
    return location.startswith("/") and location.partition("#")[0].partition("?")[0] == own


def _with_query(location: str, query: str) -> str:
    place, mark, fragment = location.partition("#")
    if query and "?" in place:
        query = "&" + query[1:]
    return place + query + mark + fragment
