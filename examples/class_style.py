"""Step 3 of docs/tutorial.md: the server as an object, with the interface of wsgiref.simple_server.

    python -m examples.class_style --port 8888

A program that uses ``wsgiref.simple_server.make_server`` changes only its import.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tpserver import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Counter:
    """An application may be any callable object. This one counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        self.calls += 1  # two threads may do this at once and lose a call: an exact counter needs a lock
        text = f"This is call {self.calls}.\n".encode("ascii")
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
        return [text]


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the requests.")
    parser.add_argument(
        "--port", type=int, default=8888, help="port to listen on; 0: any free port (default: %(default)s)"
    )
    with make_server("127.0.0.1", parser.parse_args().port) as server:
        server.set_app(Counter())
        print(f"Serving on http://127.0.0.1:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("Stopped.")


if __name__ == "__main__":
    main()
