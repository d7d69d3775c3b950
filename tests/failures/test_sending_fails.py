"""What an application sends cannot be sent for want of memory or stack, and it goes on: a client is never misled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests import inside
from tests.client import CLOSE, request, salvage
from tests.running import Start
from tpserver.wsgi import response as wsgi_response


def writes(fields: list[tuple[str, str]], *pieces: bytes) -> Callable[..., Any]:
    """An application that sends each piece once more when that fails."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        write = start_response("200 OK", fields)
        for piece in pieces:
            try:
                write(piece)
            except (MemoryError, RecursionError):
                write(piece)
        return []

    return app


def failing_once(real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, but for its first call."""
    calls: list[None] = []

    def fails(*given: Any) -> Any:
        calls.append(None)
        if len(calls) == 1:
            raise MemoryError
        return real(*given)

    return fails


def test_a_piece_that_could_not_be_made_may_be_sent_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi_response, "chunk", failing_once(wsgi_response.chunk))
    running = start(writes([], b"one", b"two"))
    for _ in range(2):
        came = salvage(running, request("/", CLOSE))
        assert came.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


@pytest.mark.parametrize("fields", [[], [("Content-Length", "6")]], ids=["chunked", "with a length"])
def test_nothing_is_sent_behind_what_was_sent_in_part(
    start: Start, monkeypatch: pytest.MonkeyPatch, fields: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(*inside.SEND, failing_once(getattr(*inside.SEND)))
    running = start(writes(fields, b"one", b"two"))
    came = salvage(running, request("/") + request("/"))
    assert came == b"", "neither a piece without its head, nor the next answer"
    assert b"200 OK" in salvage(running, request("/", CLOSE))


def deep(fields: list[tuple[str, str]]) -> Callable[..., Any]:
    """An application that writes where its stack has no more room, as soon as that does not fail."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        write = start_response("200 OK", fields)
        done: list[None] = []

        def down() -> None:
            try:
                down()
            except RecursionError:
                pass
            if not done:
                try:
                    write(b"abc")
                    done.append(None)
                except RecursionError:
                    pass

        if environ["PATH_INFO"] == "/deep":
            down()
        write(b"xyz")
        return []

    return app


@pytest.mark.parametrize("fields", [[], [("Content-Length", "6")]], ids=["chunked", "with a length"])
def test_an_application_at_the_end_of_its_stack_never_breaks_the_framing(
    start: Start, fields: list[tuple[str, str]]
) -> None:
    came = salvage(start(deep(fields)), request("/deep") + request("/x", CLOSE))
    assert came == b"" or came.startswith(b"HTTP/1.1 200 OK\r\n")
    if came:
        head, _, rest = came.partition(b"\r\n\r\n")
        content = b"3\r\nabc\r\n3\r\nxyz\r\n0\r\n\r\n" if b"chunked" in head else b"abcxyz"
        assert content.startswith(rest[: len(content)])
        assert rest[len(content) :] == b"" or rest[len(content) :].startswith(b"HTTP/1.1 200 OK\r\n")
