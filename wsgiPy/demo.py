"""The demonstration site's application: python -m tpserver --root html --app wsgiPy.demo:app

It needs only the standard library and runs on any WSGI server. Each path has one small function for each method, which
takes a ``Request`` and returns a ``Response`` or raises ``Refused``; only ``app`` at the end uses WSGI.
"""

from __future__ import annotations

import hashlib
import time
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

from wsgiPy import clock, multipart
from wsgiPy.pages import link, page, paragraph, shown, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    View: TypeAlias = Callable[["Request"], "Response"]

BLOCK = 64 * 1024
MAX_FORM = 1024 * 1024
MAX_FIELDS = 200
MAX_TEXT = 64 * 1024

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
FIELDS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
)


# Beginnings of the environ keys that the page shows; it also shows keys with a dot, which the server sets.
SHOWN = ("CONTENT_", "HTTP_", "PATH_INFO", "QUERY_", "REMOTE_", "REQUEST_", "SCRIPT_NAME", "SERVER_")


class Refused(Exception):
    """The request gets an error response; ``str()`` of this is the reason, which the page shows."""

    def __init__(self, status: HTTPStatus, why: str, *fields: tuple[str, str]) -> None:
        super().__init__(why)
        self.status = status
        self.fields = fields


class Response(NamedTuple):
    """The response of a view. A list of blocks is sent with its length, any other iterable is streamed."""

    body: Iterable[bytes]
    content_type: str = "text/html; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    fields: Iterable[tuple[str, str]] = ()


class Request:
    """The parts of a request that the views need, read from its ``environ``."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.mount: str = environ.get("SCRIPT_NAME", "")
        self.path: str = environ.get("PATH_INFO", "")
        self.content_type, self.parameters = multipart.parse_field(environ.get("CONTENT_TYPE", ""))

    def query(self, name: str, default: str) -> str:
        return dict(_pairs(_utf8(self.environ.get("QUERY_STRING", "")))).get(name, default)

    def page(self, title: str, *content: str) -> list[bytes]:
        return [page(title, *content, mount=self.mount, current=self.path)]

    def link(self, path: str) -> str:
        return link(path, self.mount)

    def blocks(self) -> Iterator[bytes]:
        """Yield the body as it arrives: CONTENT_LENGTH bytes, or to the end of ``wsgi.input`` if that is terminated."""
        source = self.environ["wsgi.input"]
        if self.environ.get("wsgi.input_terminated"):
            while block := source.read(BLOCK):
                yield block
            return
        length = self.environ.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            raise Refused(HTTPStatus.BAD_REQUEST, "The length of the body is not a number.")
        left = int(length)
        while left:
            block = source.read(min(BLOCK, left))
            if not block:
                raise Refused(HTTPStatus.BAD_REQUEST, "The body ended early.")
            left -= len(block)
            yield block


def hello(request: Request) -> Response:
    name = request.query("name", "").strip() or "world"
    return Response(
        request.page(
            "Hello",
            f'<p class="large">Hello, {shown(name)}!</p>',
            f'<form method="get" action="{request.link("/hello")}">',
            f'<p><label for="name">Whom to greet</label> <input id="name" name="name" value="{shown(name)}"></p>',
            "<p><button>Say hello</button></p>",
            "</form>",
        )
    )


def form(request: Request) -> Response:
    return Response(
        request.page(
            "A form",
            paragraph("The application shows the fields that it received, and stores nothing."),
            f'<form method="post" action="{request.link("/form")}">',
            '<p><label for="name">Name</label> <input id="name" name="name" autocomplete="name"></p>',
            '<p><label for="colour">Colour</label> <select id="colour" name="colour">',
            "<option>blue</option><option>green</option><option>red</option></select></p>",
            '<p><label for="message">Message</label> <textarea id="message" name="message" rows="4"></textarea></p>',
            '<p><label class="check"><input type="checkbox" name="copy" value="yes"> Tick me</label></p>',
            "<p><button>Send</button></p>",
            "</form>",
        )
    )


def form_received(request: Request) -> Response:
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This address takes application/x-www-form-urlencoded.")
    body = bytearray()
    for block in request.blocks():
        body += block
        if len(body) > MAX_FORM:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A form may have at most {MAX_FORM:,} bytes.")
    pairs = _pairs(body.decode("utf-8", "replace"))
    arrived = table("Received fields", ("Field", "Value"), pairs) if pairs else paragraph("The form was empty.")
    return Response(request.page("Received", arrived, f'<p><a href="{request.link("/form")}">Once more</a></p>'))


def upload(request: Request) -> Response:
    return Response(
        request.page(
            "An upload",
            paragraph(
                "The application reads each file as it arrives, shows its name, size and SHA-256, and stores nothing."
            ),
            f'<form method="post" action="{request.link("/upload")}" enctype="multipart/form-data">',
            '<p><label for="file">Files</label> <input id="file" type="file" name="file" multiple></p>',
            '<p><label for="note">Note</label> <input id="note" name="note"></p>',
            "<p><button>Upload</button></p>",
            "</form>",
        )
    )


def upload_received(request: Request) -> Response:
    if request.content_type != "multipart/form-data":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This address takes multipart/form-data.")
    try:
        files, texts = _summary(multipart.read(request.blocks(), request.parameters.get("boundary", "")))
    except multipart.MultipartError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"The body is not multipart/form-data: {error}.") from error
    content = [
        table("Files", ("Name", "Type", "Bytes", "SHA-256"), files) if files else paragraph("No file was received.")
    ]
    if texts:
        content.append(table("Other fields", ("Field", "Value"), texts))
    return Response(request.page("Uploaded", *content, f'<p><a href="{request.link("/upload")}">Once more</a></p>'))


def _summary(events: Iterable[multipart.Part | bytes]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return a row for each file, and a row for each other field, without keeping the content of the files."""
    files: list[tuple[str, ...]] = []
    texts: list[tuple[str, ...]] = []
    part: multipart.Part | None = None
    size, digest, text = 0, hashlib.sha256(), bytearray()

    def finish() -> None:
        if part is None:
            return
        if part.filename is None:
            texts.append((part.name, text.decode("utf-8", "replace")))
        elif part.filename or size:  # a browser sends a file input that was left empty with neither
            files.append((part.filename, part.content_type, f"{size:,}", digest.hexdigest()))

    for event in events:
        if isinstance(event, multipart.Part):
            finish()
            part, size, digest, text = event, 0, hashlib.sha256(), bytearray()
            continue
        size += len(event)
        if part is not None and part.filename is not None:
            digest.update(event)
        elif size > MAX_TEXT:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A text field may have at most {MAX_TEXT:,} bytes.")
        else:
            text += event
    finish()
    return files, texts


def stream(request: Request) -> Response:
    """Send numbered lines with pauses; ?lines=3&pause=100 sets their number, and the pause in milliseconds."""
    lines = _number(request, "lines", default=10, most=100)
    pause = _number(request, "pause", default=300, most=1000)

    def body() -> Iterator[bytes]:
        for number in range(1, lines + 1):
            if number > 1:
                time.sleep(pause / 1000)
            yield f"line {number} of {lines}\n".encode("ascii")

    return Response(body(), "text/plain; charset=us-ascii")


def environ(request: Request) -> Response:
    """Show the environ, without secrets.

    Some servers add the environment of the process (wsgiref does), so only keys of the request and the server are
    listed. Cookies are not shown: scripts on the page could read them although they are HttpOnly.
    """
    rows = []
    for key, value in sorted(request.environ.items()):
        if not key.startswith(SHOWN) and "." not in key:
            continue
        if key in {"HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"}:
            text = "(not shown)"
        elif isinstance(value, (str, int, float, tuple)):
            text = repr(value)
        else:
            text = f"<{type(value).__name__}>"
        rows.append((key, text))
    return Response(request.page("The environ", table("The environ of this request", ("Key", "Value"), rows)))


def clock_page(request: Request) -> Response:
    utc = datetime.now(timezone.utc).replace(microsecond=0)
    rows = [("Here", utc.astimezone().isoformat(" ")), ("UTC", utc.isoformat(" "))]
    return Response(request.page("The time", table("Server’s clock", ("Where", "Time"), rows)))


def time_py(request: Request) -> Response:
    """Answer with the ten-line application: a path that ends in .py is never a file."""
    return Response(list(clock.app(request.environ, lambda status, fields: None)), "text/plain; charset=us-ascii")


def front(request: Request) -> Response:
    """Replace html/index.html when no folder of files is served."""
    return Response(request.page("tpserver", paragraph("The application is served without its folder of files.")))


VIEWS: dict[str, dict[str, View]] = {
    "/": {"GET": front},
    "/hello": {"GET": hello},
    "/form": {"GET": form, "POST": form_received},
    "/upload": {"GET": upload, "POST": upload_received},
    "/stream": {"GET": stream},
    "/environ": {"GET": environ},
    "/clock": {"GET": clock_page},
    "/time.py": {"GET": time_py},
}


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The WSGI application."""
    request = Request(environ)
    try:
        response = _view(request)(request)
    except Refused as refusal:
        title = f"{refusal.status.value} {refusal.status.phrase}"
        body = request.page(title, paragraph(str(refusal)), '<p><a href="/">To the front page</a></p>')
        response = Response(body, status=refusal.status, fields=refusal.fields)
    fields = [("Content-Type", response.content_type), *FIELDS, *response.fields]
    if isinstance(response.body, list):
        fields.append(("Content-Length", str(sum(map(len, response.body)))))
    start_response(f"{response.status.value} {response.status.phrase}", fields)
    return response.body if request.method != "HEAD" else []


def _view(request: Request) -> View:
    methods = VIEWS.get(request.path or "/")
    if methods is None:
        raise Refused(HTTPStatus.NOT_FOUND, "There is no page at this address.")
    view = methods.get("GET" if request.method == "HEAD" else request.method)
    if view is None:
        allow = ", ".join(["GET", "HEAD", *(method for method in methods if method != "GET")])
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"This page supports {allow}.", ("Allow", allow))
    return view


def _utf8(text: str) -> str:
    """Decode text as UTF-8 whose bytes WSGI has decoded as latin-1."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, f"More than {MAX_FIELDS} fields.") from None


def _number(request: Request, name: str, *, default: int, most: int) -> int:
    text = request.query(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most):
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a whole number up to {most}.")
    return int(text)
