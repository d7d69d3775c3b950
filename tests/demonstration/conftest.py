"""Two ways to ask the demonstration: directly through wsgiref.validate, and as a process of its own over HTTP."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from tests.console import ROOT, python
from wsgiPy import demo


@dataclass
class Answer:
    """What an application answered."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


def call(app: Any, method: str, target: str, body: bytes = b"", **environ: Any) -> Answer:
    """Ask an application as a server would, with keys of the environ added or (None) taken away."""
    path, _, query = target.partition("?")
    request: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "wsgi.input": io.BytesIO(body),
    }
    if body:
        request["CONTENT_LENGTH"] = str(len(body))
    setup_testing_defaults(request)
    request.update(environ)
    request = {key: value for key, value in request.items() if value is not None}
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, fields: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        started.append((status, fields))
        return lambda data: None

    blocks = validator(app)(request, start_response)
    try:
        content = b"".join(blocks)
    finally:
        blocks.close()
    ((status, fields),) = started
    assert len(dict(fields)) == len(fields), "a field is there twice"
    return Answer(int(status[:3]), dict(fields), content)


@pytest.fixture
def ask() -> Callable[..., Answer]:
    """Ask the demonstration: ask("POST", "/form?a=1", body, CONTENT_TYPE=...)."""

    def ask(method: str, target: str, body: bytes = b"", **environ: Any) -> Answer:
        return call(demo.app, method, target, body, **environ)

    return ask


@pytest.fixture
def ask_app() -> Callable[..., Answer]:
    """The same for any application: ask_app(app, "GET", "/")."""
    return call


@contextmanager
def running(*command: str) -> Iterator[str]:
    """Runs ``python COMMAND...`` in the checkout; where it says that it serves."""
    with python(*command, cwd=ROOT) as console:
        try:
            yield console.url
        finally:
            console.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., str]]:
    """Start servers: start("-m", "tpserver", "--port", "0") returns the address; all stop when the module ends."""
    with ExitStack() as stack:
        yield lambda *command: stack.enter_context(running(*command))
