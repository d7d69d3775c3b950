"""The pages that the server answers with by itself."""

from __future__ import annotations

import pytest

from tpserver.http.pages import page, response

STAMP = b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: test\r\n"
MARKUP = "<script>alert('1' & \"2\")</script>"


def parts(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Status line, field lines and content of a response."""
    head, content = data.split(b"\r\n\r\n", 1)
    first, *lines = head.split(b"\r\n")
    return first, lines, content


def test_a_person_gets_html_in_which_nothing_is_markup_but_ours() -> None:
    content_type, content = page(404, MARKUP, html=True)
    assert content_type == "text/html; charset=utf-8"
    text = content.decode("utf-8")
    assert text.startswith("<!doctype html>")
    assert "<h1>404 Not Found</h1>" in text
    assert "<script" not in text
    assert "&lt;script&gt;alert(&#x27;1&#x27; &amp; &quot;2&quot;)&lt;/script&gt;" in text


@pytest.mark.parametrize(
    ("retry_after", "when"), [("1", "1 second"), ("2", "2 seconds"), ("119", "119 seconds"), ("121", "3 minutes")]
)
@pytest.mark.parametrize("detail", ["Busy.", "Busy. Try again in a moment."])
@pytest.mark.parametrize("html", [True, False])
def test_the_page_says_when_to_try_again(retry_after: str, when: str, detail: str, html: bool) -> None:
    _, _, content = parts(response(503, detail, stamp=STAMP, html=html, fields=(("Retry-After", retry_after),)))
    assert f"Busy. Try again in {when}." in content.decode()
    assert b"in a moment" not in content
    assert (b'<a href="">Try again</a>' in content) == html


@pytest.mark.parametrize(("status", "home"), [(301, False), (400, True), (404, True), (500, True), (503, True)])
def test_the_page_of_an_error_has_a_way_home(status: int, home: bool) -> None:
    assert (b'<a href="/">Home</a>' in page(status, "No.", html=True)[1]) == home
    assert b"Home" not in page(status, "No.", html=False)[1]


def test_a_program_gets_two_lines_of_text() -> None:
    assert page(503, "Busy.", html=False) == ("text/plain; charset=utf-8", b"503 Service Unavailable\nBusy.\n")


def test_text_is_not_escaped_because_markup_means_nothing_in_it() -> None:
    assert page(404, MARKUP, html=False)[1].decode() == f"404 Not Found\n{MARKUP}\n"


@pytest.mark.parametrize("html", [True, False])
def test_characters_beyond_ascii_and_braces_are_only_text(html: bool) -> None:
    assert "\u00e4 {status} \u65e5".encode() in page(400, "\u00e4 {status} \u65e5", html=html)[1]


@pytest.mark.parametrize("html", [True, False])
@pytest.mark.parametrize("status", [301, 400, 404, 405, 408, 412, 413, 414, 417, 431, 500, 501, 503, 505])
def test_the_length_is_that_of_the_content(status: int, html: bool) -> None:
    first, lines, content = parts(response(status, "\u00e4", stamp=STAMP, html=html))
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Length: %d" % len(content) in lines
    assert content


def test_a_head_says_what_the_content_would_be_and_has_none() -> None:
    whole = response(404, "No.", stamp=STAMP)
    head_only = response(404, "No.", stamp=STAMP, head_only=True)
    assert head_only == whole[: whole.index(b"\r\n\r\n") + 4]


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_content_says_nothing_about_any(status: int) -> None:
    _, lines, content = parts(response(status, "Unseen.", stamp=STAMP))
    assert content == b""
    assert not [line for line in lines if line.lower().startswith(b"content-")]


def test_further_fields_and_the_stamp_are_in_the_head() -> None:
    data = response(405, "No.", stamp=STAMP, fields=(("Allow", "GET, HEAD"), ("Retry-After", "1")))
    _, lines, _ = parts(data)
    assert {b"Allow: GET, HEAD", b"Retry-After: 1", b"Server: test"} <= set(lines)


@pytest.mark.parametrize(
    ("protocol", "keep_alive", "connection"),
    [
        ("HTTP/1.1", True, []),
        ("HTTP/1.1", False, [b"Connection: close"]),
        ("HTTP/1.0", True, [b"Connection: keep-alive"]),
        ("HTTP/1.0", False, [b"Connection: close"]),
    ],
)
def test_the_connection_field_says_what_happens_next(protocol: str, keep_alive: bool, connection: list[bytes]) -> None:
    _, lines, _ = parts(response(404, "No.", stamp=STAMP, protocol=protocol, keep_alive=keep_alive))
    assert [line for line in lines if line.startswith(b"Connection:")] == connection


@pytest.mark.parametrize(
    ("status", "reason"),
    [(413, b"Content Too Large"), (414, b"URI Too Long"), (431, b"Request Header Fields Too Large")],
)
def test_reasons_are_those_of_the_current_standard(status: int, reason: bytes) -> None:
    assert parts(response(status, "No.", stamp=STAMP))[0] == b"HTTP/1.1 %d %b" % (status, reason)


@pytest.mark.parametrize(("html", "vary"), [(True, [b"Vary: Accept"]), (False, [b"Vary: Accept"]), (None, [])])
def test_where_the_client_has_decided_caches_are_told(html: bool | None, vary: list[bytes]) -> None:
    _, lines, _ = parts(response(404, "No.", stamp=STAMP, html=html))
    assert [line for line in lines if line.startswith(b"Vary:")] == vary
    _, lines, _ = parts(response(204, "", stamp=STAMP, html=html))
    assert not [line for line in lines if line.startswith(b"Vary:")]


def test_the_page_of_a_redirect_links_to_its_target() -> None:
    data = response(301, "Moved.", stamp=STAMP, html=True, fields=(("Location", '/a"b/?x=1&y=2'),))
    assert b'<a href="/a&quot;b/?x=1&amp;y=2">/a&quot;b/?x=1&amp;y=2</a>' in data
    data = response(301, "Moved.", stamp=STAMP, html=False, fields=(("Location", "folder/"),))
    assert data.endswith(b"301 Moved Permanently\nMoved.\nfolder/\n")
    assert response(404, "No.", stamp=STAMP, html=True).count(b"<a ") == 1  # the one to the root
