"""Step 5 of docs/tutorial.md: an application that shows the request, and the time.

python -m examples.show_environ --port 8888
python -m tpserver --app-dir examples --app show_environ:app
"""

from __future__ import annotations

import argparse
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from tpserver import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MOST = 64 * 1024  # bytes of a body that are shown

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The request</title>
<h1>The request</h1>
<dl>
{items}
</dl>
<form method="post" action="/form.py?step=5">
<label>Say something: <input name="text"></label> <button>Send</button>
</form>
</html>
"""


def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    # PEP 3333: CONTENT_LENGTH is the length of the body; without it there is none.
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(min(length, MOST)).decode("utf-8", "replace")
    rows = {
        "Method": environ["REQUEST_METHOD"],
        # WSGI decodes the bytes of a path as latin-1; most paths are UTF-8.
        "Path": environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
        "Query": ", ".join(f"{name} = {value}" for name, value in query) or "none",
        "Body": body or "none",
        "Time": f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}",
    }
    items = "\n".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
    page = PAGE.format(items=items).encode("utf-8", "replace")
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))])
    return [page]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Show each request.")
    parser.add_argument(
        "--port", type=int, default=8888, help="port to listen on; 0: any free port (default: %(default)s)"
    )
    serve(app, port=parser.parse_args().port)
