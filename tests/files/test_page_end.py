"""What `--reload` puts behind pages of a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import running
from tests.client import Client
from tpserver import Config, Server

END = b"<script></script>"


@contextlib.contextmanager
def serving(root: Path, **options: Any) -> Iterator[Client]:
    server = Server(Config(port=0, root=str(root), access_log="none", **options), page_end=END)
    with running.serving(server), Client(SimpleNamespace(address=("127.0.0.1", server.server_port))) as client:
        yield client


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_bytes(b"page" * 500)
    (tmp_path / "style.css").write_bytes(b"css")
    return tmp_path


def test_a_page_ends_with_it_and_its_length_and_tag_are_those_of_the_whole(root: Path) -> None:
    with serving(root) as client:
        for _ in range(2):  # read, and from memory
            response = client.ask("/", "Accept-Encoding: gzip, br")
            assert response.content == b"page" * 500 + END
            assert "content-encoding" not in response.fields
        assert client.ask("/", f"If-None-Match: {response['etag']}").status == 304
        assert client.ask("/", "Range: bytes=2000-").content == END
        assert client.ask("/", method="HEAD")["content-length"] == str(2000 + len(END))
        assert client.ask("/style.css").content == b"css"


def test_an_edit_is_seen(root: Path) -> None:
    with serving(root) as client:
        before = client.ask("/")["etag"]
        (root / "index.html").write_bytes(b"PAGE" * 500)
        response = client.ask("/", f"If-None-Match: {before}")
        assert (response.status, response.content) == (200, b"PAGE" * 500 + END)


def test_a_page_with_a_policy_is_left_as_it_is(root: Path) -> None:
    with serving(root, header=["/**=Content-Security-Policy: default-src 'self'"]) as client:
        assert client.ask("/").content == b"page" * 500
