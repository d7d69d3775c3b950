"""Instances, behind nginx or HAProxy or by themselves, are restarted one after the other: no request may fail.

`python -m benchmarks rolling [--way nginx|haproxy|sockets] [--requests N] [--posts]`

The proxies run with the files of deploy/. `sockets`: one instance without a proxy, which gets its socket as from
systemd. Clients ask over connections that they keep until an answer says that it is the last one; a connection that
ends without an answer is a failure, and so is every status but 200. With `--posts`, every tenth request is a POST,
which no proxy may repeat.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..client import HOST, Client, get
from ..process import ServerFailed, ServerProcess, free_port
from ..servers import ROOT
from .in_front import SEVERAL, find_proxy, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REQUESTS = 50_000
INSTANCES = 4
# A restart comes after this part of the requests, or after so many seconds, at the earliest.
PAUSES = 50
PAUSE_SECONDS = 3.0
SOCKETS = "sockets"
CLIENTS = 8
# At most: the trial ends by itself, whatever happens.
MOST_SECONDS = 300.0
_GET = get("/")
_POST = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 7\r\n\r\ncontent".encode("ascii")


def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Takes some milliseconds: as pages do that ask a database."""
    environ["wsgi.input"].read()
    time.sleep(0.002)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


class Result(NamedTuple):
    """What came of it."""

    answered: int
    restarts: int
    failures: Counter[str]
    seconds: float


class Clients:
    """Threads that ask one port until `enough`; what they have seen is counted."""

    def __init__(self, port: int, count: int, posts: bool) -> None:
        self._port = port
        self._posts = posts
        self._counted = threading.Condition()  # guards what is counted; each answer and failure notifies
        self.answered = 0
        self.failures: Counter[str] = Counter()
        self.enough = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.enough.set()
        for thread in self._threads:
            thread.join(30.0)

    def wait(self, count: int) -> None:
        """Until so many more are answered or have failed, for a bounded time."""
        with self._counted:
            goal = self.answered + self.failures.total() + count
            self._counted.wait_for(lambda: self.answered + self.failures.total() >= goal, PAUSE_SECONDS)

    def _ask(self) -> None:
        number = 0
        with Client(self._port) as client:
            while not self.enough.is_set():
                number += 1
                is_post = self._posts and number % 10 == 0
                try:
                    client.send_bytes(_POST if is_post else _GET)
                    status = client.receive().status
                    failure = "" if status == 200 else f"status {status}"
                except OSError as error:
                    client.close()
                    failure = f"{type(error).__name__}: {error}"
                with self._counted:
                    self.answered += not failure
                    if failure:
                        self.failures[f"{'POST' if is_post else 'GET'}: {failure}"] += 1
                    self._counted.notify_all()


class Instances:
    """Some tpservers, each at an address of its own: one of "HOST:PORT" or "fd:N"."""

    def __init__(self, folder: Path, addresses: Sequence[tuple[str, int]], descriptors: Sequence[int] = ()) -> None:
        """`addresses`: each with its port."""
        self._folder = folder
        self._addresses = addresses
        self._descriptors = descriptors
        self._running: dict[int, ServerProcess] = {}

    def __enter__(self) -> Instances:
        try:
            for number in range(len(self._addresses)):
                self._start(number)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        for one in self._running.values():
            one.__exit__()

    def restart(self, number: int) -> None:
        """One of them: SIGTERM, its end, and the next one."""
        self._running.pop(number).__exit__()
        self._start(number)

    def _start(self, number: int) -> None:
        address, port = self._addresses[number]
        process = self._running[number] = ServerProcess(
            [sys.executable, "-m", "tpserver", f"{__name__}:app", "--bind", address, "--trusted-proxy", HOST,
             "--access-log", "none", "--log-level", "warning"],
            port=port,
            folder=ROOT,
            environment={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(self._folder / "bytecode")},
            log=self._folder / f"instance-{number}.txt",
            descriptors=self._descriptors,
        ).__enter__()  # fmt: skip
        process.wait_saying(f":{port}/")


@contextmanager
def served(way: str, folder: Path) -> Iterator[tuple[Instances, int]]:
    """The instances, and the port where clients ask."""
    if way == SOCKETS:
        with socket.create_server((HOST, 0), backlog=1024) as listening:
            port: int = listening.getsockname()[1]
            number = listening.fileno()
            with Instances(folder, [(f"fd:{number}", port)], [number]) as instances:
                yield instances, port
        return
    ports = [free_port() for _ in range(INSTANCES)]
    with (
        Instances(folder, [(f"{HOST}:{port}", port) for port in ports]) as instances,
        proxy(SEVERAL[way], folder / "proxy", ports) as front,
    ):
        yield instances, front.port


def run(way: str, requests: int, *, posts: bool = False, clients: int = CLIENTS) -> Result:
    """Restarts each instance at least once, and goes on until so many requests are answered."""
    count = 1 if way == SOCKETS else INSTANCES
    with tempfile.TemporaryDirectory(prefix="rolling-") as scratch, served(way, Path(scratch)) as (instances, port):
        begun = time.monotonic()
        restarts = 0
        with Clients(port, clients, posts) as load:
            while restarts < INSTANCES or load.answered < requests:
                instances.restart(restarts % count)
                restarts += 1
                load.wait(requests // PAUSES)
                if time.monotonic() - begun > MOST_SECONDS:
                    raise ServerFailed(f"{load.answered} answers in {MOST_SECONDS:.0f} s: {dict(load.failures)}")
        return Result(load.answered, restarts, load.failures, time.monotonic() - begun)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks rolling", description=__doc__)
    parser.add_argument("--way", action="append", choices=[*SEVERAL, SOCKETS], help="only this one")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--posts", action="store_true", help="every tenth request is a POST")
    options = parser.parse_args(arguments)
    failed = False
    for way in options.way or [*SEVERAL, SOCKETS]:
        if way in SEVERAL and find_proxy(way) is None:
            print(f"{way} is not installed")
            continue
        result = run(way, options.requests, posts=options.posts)
        failed = failed or bool(result.failures)
        print(
            f"{way}: {result.answered} answered in {result.seconds:.0f} s, {result.restarts} restarts,"
            f" {result.failures.total()} failed"
        )
        for failure, count in result.failures.most_common():
            print(f"    {count} times {failure}")
    return int(failed)
