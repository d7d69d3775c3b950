"""A browser for the sites of these tests, and the judge of PEP 3333 that may stand between them and the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.validate import validator

import requests

from tests.client import PATIENCE

Application = Callable[..., Iterable[bytes]]


class Browser(requests.Session):
    """A session that knows where the site is, so it is asked for paths."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        options.setdefault("timeout", PATIENCE)
        return super().request(method, self.url + url if url.startswith("/") else url, *arguments, **options)


def judged(app: Application) -> Application:
    """`app` through wsgiref's validator.

    That one knows nothing of wsgi.input_terminated, which allows read() without a size, so it is not offered.
    """
    inner = validator(app)

    def outer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        del environ["wsgi.input_terminated"]
        return inner(environ, start_response)

    return outer
