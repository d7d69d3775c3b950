"""The request line of a head that is as the one before: read in one step, with the same result as any other."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tpserver.errors import RequestRefused
from tpserver.http.head import take_head
from tpserver.http.section import FieldSection, Limits, SectionMemory

REST = b"\r\nHost: h\r\nCookie: a=1\r\nAccept: */*\r\n\r\n"
METHODS = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "CONNECT", "CONNECTS", "get", "M-SEARCH", "", "G(T"])
TARGETS = st.text(st.sampled_from("/?#%a2fF:*@ \t\n\r\0\x7f\x80\xff.;=&"), max_size=12)
VERSIONS = st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/1.", "http/1.1", "HTTP/1.1 ", ""])


def reading(data: bytes, last: FieldSection | None) -> object:
    """What a head is taken for: all that it says, or its refusal."""
    try:
        found = take_head(data, 0, Limits(), SectionMemory(), last)
    except RequestRefused as refusal:
        return refusal.status, refusal.detail, refusal.close, refusal.accept
    if found is None:
        return None
    head, end = found
    cookie = head.fields.get("HTTP_COOKIE") if head.cookie is None else head.cookie
    fields = {name: value for name, value in head.fields.items() if name != "HTTP_COOKIE"}
    return head.method, head.target, head.path, head.query, head.protocol, head.section.keep_alive, cookie, fields, end


@pytest.fixture(scope="module")
def last() -> FieldSection:
    found = take_head(b"GET / HTTP/1.1" + REST, 0, Limits(), SectionMemory())
    assert found is not None
    return found[0].section


@settings(max_examples=2000)
@given(METHODS, TARGETS, VERSIONS)
@example("GET", "/a?b", "HTTP/1.1")
@example("GET", "/a??b?", "HTTP/1.1")
@example("GET", "/?", "HTTP/1.1")
@example("GET", "//a", "HTTP/1.1")
@example("GET", "/%61", "HTTP/1.1")
@example("GET", "/a?%61", "HTTP/1.1")
@example("GET", "/a#b", "HTTP/1.1")
@example("GET", "/a?b#c", "HTTP/1.1")
@example("CONNECT", "/a", "HTTP/1.1")
@example("OPTIONS", "*", "HTTP/1.1")
@example("GET", "http://h2/a", "HTTP/1.1")
@example("GET", "/\x80", "HTTP/1.1")
@example("GET", "/a\n", "HTTP/1.1")
def test_a_line_is_read_as_that_of_a_first_head(last: FieldSection, method: str, target: str, version: str) -> None:
    data = f"{method} {target} {version}".encode("latin-1") + REST
    assert reading(data, last) == reading(data, None)
