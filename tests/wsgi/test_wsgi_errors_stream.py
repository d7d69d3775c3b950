"""wsgi.errors is the sys.stderr of the moment, whatever tests and tools have made of that."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from typing import Any

import pytest

from tests.client import ask
from tests.running import Start
from tpserver.wsgi.error_stream import ErrorStream


def _writes(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    stream = environ["wsgi.errors"]
    stream.write("a note: é\n")
    print("printed", file=stream, flush=True)
    handler = logging.StreamHandler(stream)
    handler.handle(logging.makeLogRecord({"msg": "logged"}))
    stream.flush()
    assert stream.isatty() is False  # as libraries ask before they colour
    start_response("200 OK", [])
    return [b"fine"]


def test_what_is_written_goes_to_the_stderr_of_now(start: Start) -> None:
    running = start(_writes)
    for _ in range(2):
        with contextlib.redirect_stderr(io.StringIO()) as captured:
            assert ask(running, "/").content == b"fine"
        assert captured.getvalue() == "a note: é\nprinted\nlogged\n"


class _Odd:
    """The least that a replaced stream has."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


class _Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError("its reader has gone")

    def flush(self) -> None:
        raise BrokenPipeError("its reader has gone")


class _Faulty:
    """A program's own stream, with a fault."""

    def write(self, text: str) -> int:
        raise RuntimeError("a fault")

    flush = isatty = write


def _closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "stream",
    [_closed(), _Broken(), None, _Odd(), _Faulty(), io.BytesIO()],
    ids=["closed", "broken", "none", "odd", "faulty", "binary"],
)
def test_no_stream_makes_a_500(start: Start, monkeypatch: pytest.MonkeyPatch, stream: Any) -> None:
    running = start(_writes)
    monkeypatch.setattr(sys, "stderr", stream)
    answer = ask(running, "/")
    monkeypatch.undo()
    assert (answer.status, answer.content) == (200, b"fine")


def test_a_stream_that_was_there_at_the_start_may_be_closed(start: Start) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as first:
        running = start(_writes)
    first.close()
    assert ask(running, "/").content == b"fine"


def test_an_application_that_closes_it_closes_not_that_of_the_process(start: Start) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.errors"].close()
        return _writes(environ, start_response)

    running = start(app)
    with contextlib.redirect_stderr(io.StringIO()) as captured:
        assert ask(running, "/").content == b"fine"
    assert not captured.closed


def test_characters_that_the_stream_cannot_have_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(data, "ascii", newline="\n"))
    stream = ErrorStream()
    stream.write("é\n")
    stream.flush()
    assert data.getvalue() == b"\\xe9\n"
    assert stream.encoding == "ascii"


def test_bytes_are_an_error_of_the_application() -> None:
    with pytest.raises(TypeError, match="takes str, not bytes"):
        ErrorStream().write(b"x")  # type: ignore[arg-type]
