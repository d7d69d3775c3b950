"""Step 1 of docs/tutorial.md: a server that answers every request with the same text.

python -m examples.fixed_page --port 8888
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tpserver import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TEXT = b"Hello, world!\n"


def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(TEXT)))])
    return [TEXT]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Answer every request with the same text.")
    parser.add_argument(
        "--port", type=int, default=8888, help="port to listen on; 0: any free port (default: %(default)s)"
    )
    serve(app, port=parser.parse_args().port)  # prints its address and serves until Ctrl-C
