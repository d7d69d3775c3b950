"""Quick, waiting and computing requests from many clients at once: each gets the answer to its own."""

from __future__ import annotations

import hashlib
import threading

from tests import inside
from tests.client import Client, chunked, request
from tests.waiting import until_left

CLIENTS = 16
REQUESTS = 200


class Mixed:
    """An application that answers with a digest of what it was asked; some requests wait, some compute."""

    def __init__(self):
        self.never = threading.Event()

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        content = environ["wsgi.input"].read()
        if path.startswith("/wait"):
            self.never.wait(0.012)  # longer than two looks of the watcher
        elif path.startswith("/compute"):
            sum(number * number for number in range(20_000))
        start_response("200 OK", [("X-Path", path)])
        answer = digest(path, content)
        return (piece for piece in (answer[:10], answer[10:])) if "stream" in path else [answer]


def digest(path, content):
    return hashlib.sha256(path.encode() + b" " + content).hexdigest().encode() * 10


def requests_of(which):
    """(path, content, request) of one client's."""
    for number in range(REQUESTS):
        kind = ("quick", "wait", "quick", "quick/stream", "compute", "quick", "file")[(number * 7 + which) % 7]
        if number % 3 and kind in ("wait", "compute"):
            kind = "quick"
        path = f"/{kind}/{which}/{number}" if kind != "file" else "/file.txt"
        content = path.encode() * (number % 4) if kind != "file" else b""
        if not content:
            yield path, content, request(path)
        elif number % 2:
            yield path, content, request(path, method="POST", content=content)
        else:
            yield path, content, chunked(path, content[:7], content[7:])


def test_every_client_gets_its_own_answers(start, tmp_path):
    (tmp_path / "file.txt").write_text("A file")
    running = start(Mixed(), root=str(tmp_path), threads=4)
    wrong = []

    def ask(which):
        asked = list(requests_of(which))
        with Client(running) as client:
            for at in range(0, REQUESTS, 4):  # four at a time
                bundle = asked[at : at + 4]
                client.send(b"".join(data for _, _, data in bundle))
                for path, content, _ in bundle:
                    response = client.response()
                    expected = b"A file" if path == "/file.txt" else digest(path, content)
                    if response.status != 200 or response.content != expected:
                        wrong.append((path, response))
                        return

    clients = [threading.Thread(target=ask, args=(which,)) for which in range(CLIENTS)]
    first = inside.term(running.server)
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
        assert not client.is_alive(), "a client still waits for its answer"
    assert wrong == []
    assert inside.term(running.server) > first
    until_left(running, 0)
    assert not inside.any_detached(running.server)
