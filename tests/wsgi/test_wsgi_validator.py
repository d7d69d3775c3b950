"""The standard library's judge of PEP 3333 between server and application, over the wire: it finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from wsgiref.validate import validator

import pytest
import requests

from examples import class_style, fixed_page, show_environ
from tests.client import PATIENCE, ask
from tests.logged import errors
from tests.running import Start
from tests.wsgi.wsgi_apps import CONFORMING, HELLO, Case
from wsgiPy import clock, demo

PROGRAMS = {
    "examples/fixed_page": fixed_page.app,
    "examples/class_style": class_style.Counter(),
    "examples/show_environ": show_environ.app,
    "wsgiPy/clock": clock.app,
    "wsgiPy/demo": demo.app,
}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("case", CONFORMING.values(), ids=CONFORMING)
def test_a_way_of_answering_is_served_by_the_rules(
    start: Start, log: pytest.LogCaptureFixture, case: Case, method: str, version: str
) -> None:
    answer = ask(start(validator(case.app)), "/a/b?c=d", "Accept: */*", method=method, version=version)
    assert answer.status == 200
    if method == "HEAD":
        assert answer.content == b""
    elif version == "1.0":
        assert answer.content == HELLO
    assert errors(log) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/time.py?x=1", "/%E2%82%AC//..;x?%00", "/a?b?c"])
@pytest.mark.parametrize("app", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_of_ours_is_served_by_the_rules(
    start: Start, log: pytest.LogCaptureFixture, app: Callable[..., Any], method: str, path: str
) -> None:
    answer = ask(start(validator(app)), path, "Content-Type: text/plain", method=method, content=b"text")
    assert answer.status in (200, 404, 405)
    assert errors(log) == []


@pytest.fixture
def site(start: Start) -> str:
    return str(start(validator(demo.app)).url)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("path", [*sorted(demo.VIEWS), "/no/such/page"])
def test_a_page_of_the_demonstration_is_served_by_the_rules(
    site: str, log: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    answer = requests.request(method, f"{site}{path}?pause=0&name=%F0%9F%90%8D", timeout=PATIENCE)
    assert answer.status_code in (200, 404, 405, 415)
    assert errors(log) == []


def test_a_form_of_the_demonstration_is_served_by_the_rules(site: str, log: pytest.LogCaptureFixture) -> None:
    answer = requests.post(f"{site}/form", data={"name": "Zoë"}, timeout=PATIENCE)
    assert "<td>Zoë</td>" in answer.text
    assert errors(log) == []


@pytest.mark.parametrize("size", [0, 10, 200_000])
def test_an_upload_to_the_demonstration_is_served_by_the_rules(
    site: str, log: pytest.LogCaptureFixture, size: int
) -> None:
    answer = requests.post(f"{site}/upload", files={"file": ("name", b"x" * size)}, timeout=PATIENCE)
    assert f"{size:,}" in answer.text
    assert errors(log) == []
