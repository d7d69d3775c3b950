"""An application of ten lines that answers with the time: python -m tpserver --app-dir wsgiPy --app clock:app"""

from collections.abc import Callable
from datetime import datetime
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    text = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}\n".encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain; charset=us-ascii"), ("Content-Length", str(len(text)))])
    return [text]
