"""Uploads to the demonstration: what browsers send, and what they never would."""

from __future__ import annotations

import hashlib
import re
from html import unescape

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from wsgiPy import multipart

TYPE = "multipart/form-data; boundary=edge"
HEAD = b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'


def body_of(*parts: bytes) -> bytes:
    """Join parts, each with its own head, into a body."""
    return b"".join(b"--edge\r\n" + part + b"\r\n" for part in parts) + b"--edge--\r\n"


def cells(text: str) -> list[str]:
    return [unescape(cell.replace("<wbr>", "")) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", text, re.DOTALL)]


def post(ask, **parts):
    """Upload what the requests library makes of ``parts``: real multipart by another hand than ours."""
    prepared = requests.Request("POST", "http://site/upload", **parts).prepare()
    return ask("POST", "/upload", prepared.body, CONTENT_TYPE=prepared.headers["Content-Type"])


def test_a_file_is_shown_with_its_name_type_size_and_hash(ask):
    answer = post(ask, files={"file": ("notes.txt", b"hello\r\n", "text/plain")})
    assert answer.status == 200
    for cell in ("notes.txt", "text/plain", "7", hashlib.sha256(b"hello\r\n").hexdigest()):
        assert cell in cells(answer.text)


def test_several_files_and_a_text_are_all_shown(ask):
    files = [("file", ("one", b"1")), ("file", ("two", b""))]
    shown = cells(post(ask, files=files, data={"note": "both"}).text)
    for cell in ("one", "two", "note", "both", hashlib.sha256(b"").hexdigest()):
        assert cell in shown


@pytest.mark.parametrize("name", ["naïve–文.txt", 'a"b.txt', "a\\b.txt", "<img src=x>.png"])
def test_a_file_name_is_shown_as_it_was(ask, name):
    answer = post(ask, files={"file": (name, b"x")})
    assert any(cell in {name, name.replace('"', "%22")} for cell in cells(answer.text))
    assert "<img" not in answer.text


def test_a_file_name_in_the_extended_form_is_decoded(ask):
    part = b"Content-Disposition: form-data; name=file; filename*=UTF-8''na%C3%AFve.txt\r\n\r\nx"
    assert "naïve.txt" in cells(ask("POST", "/upload", body_of(part), CONTENT_TYPE=TYPE).text)


def test_a_large_file_arrives_whole(ask):
    content = bytes(range(251)) * 80_000
    answer = post(ask, files={"file": ("large", content)})
    assert f"{len(content):,}" in cells(answer.text)
    assert hashlib.sha256(content).hexdigest() in cells(answer.text)


def test_an_input_left_empty_is_no_file(ask):
    part = b'Content-Disposition: form-data; name="file"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n'
    assert "No file was received." in ask("POST", "/upload", body_of(part), CONTENT_TYPE=TYPE).text


def test_a_body_without_parts_has_no_file(ask):
    assert "No file was received." in ask("POST", "/upload", b"--edge--", CONTENT_TYPE=TYPE).text


def test_another_type_is_415(ask):
    assert ask("POST", "/upload", b"x", CONTENT_TYPE="application/octet-stream").status == 415


def test_a_text_beyond_its_limit_is_413(ask):
    part = b'Content-Disposition: form-data; name="note"\r\n\r\n' + b"x" * 70_000
    assert ask("POST", "/upload", body_of(part), CONTENT_TYPE=TYPE).status == 413


BAD = {
    "nothing": b"",
    "no boundary anywhere": b"x" * 5000,
    "only the beginning of a boundary": b"--ed",
    "no end": b"--edge\r\n" + HEAD + b"content",
    "no last boundary": b"--edge\r\n" + HEAD + b"content\r\n--edge\r\n",
    "text after a boundary": b"--edge trailing\r\n" + HEAD + b"\r\n--edge--",
    "no line end after a boundary": b"--edge" + b" " * 5000,
    "a part without head": body_of(b"\r\ncontent"),
    "a head without end": b"--edge\r\n" + b"X: y\r\n" * 5000,
    "a head line without colon": body_of(b"nonsense\r\n\r\ncontent"),
    "no disposition": body_of(b"Content-Type: text/plain\r\n\r\ncontent"),
    "another disposition": body_of(b'Content-Disposition: attachment; name="a"\r\n\r\ncontent'),
    "a disposition without name": body_of(b'Content-Disposition: form-data; filename="a"\r\n\r\ncontent'),
    "bare line feeds": b"--edge\n" + HEAD.replace(b"\r\n", b"\n") + b"content\n--edge--\n",
    "too many parts": body_of(*[b'Content-Disposition: form-data; name="a"\r\n\r\n'] * (multipart.MAX_PARTS + 1)),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_bad_body_is_a_400_page(ask, body):
    answer = ask("POST", "/upload", body, CONTENT_TYPE=TYPE)
    assert answer.status == 400
    assert "The body is not multipart/form-data" in answer.text


@pytest.mark.parametrize(
    "boundary", ["", "; boundary=", '; boundary="a\x00"', "; boundary=" + "x" * 71, '; boundary="é"']
)
def test_a_bad_boundary_is_a_400_page(ask, boundary):
    answer = ask("POST", "/upload", b"--x--", CONTENT_TYPE="multipart/form-data" + boundary)
    assert answer.status == 400


@settings(deadline=None, derandomize=True)
@given(content=st.binary(max_size=300), cut=st.integers(1, 40))
def test_a_body_means_the_same_however_it_is_cut(content, cut):
    whole = body_of(HEAD + content.replace(b"\r\n--edge", b""), HEAD + b"second")
    blocks = [whole[at : at + cut] for at in range(0, len(whole), cut)]
    parts = []
    for event in multipart.read(blocks, "edge"):
        if isinstance(event, multipart.Part):
            parts.append(b"")
        else:
            parts[-1] += event
    assert parts == [content.replace(b"\r\n--edge", b""), b"second"]


@settings(deadline=None, derandomize=True)
@given(body=st.lists(st.sampled_from([b"--edge", b"\r\n", b"--", HEAD, b"x", b":", b'"', b"\0"]), max_size=12))
def test_no_body_raises_anything_but_a_multipart_error(body):
    try:
        list(multipart.read([b"".join(body)], "edge"))
    except multipart.MultipartError:
        pass
