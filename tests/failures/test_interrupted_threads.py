"""Exceptions that come to a thread from outside, as libraries send them that limit a request's time.

They may hit when the application has returned, at any line of the server's.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.engine.line_server import PATIENCE, LineServer, Serving, serving
from tpserver import engine
from tpserver.engine import lost_tasks, watcher
from tpserver.transport import connections

Where = tuple[str, int]

FOLDER = os.path.dirname(os.path.abspath(engine.__file__))
WATCHER = "tpserver-watcher"
_NEVER = -1
# One line in so many. With 1 it takes minutes, and tells all.
STRIDE = int(os.environ.get("TPSERVER_TEST_STRIDE", "13"))


class TooLate(BaseException):
    """What such a library raises."""


class Interruption:
    """Raises at a line of the engine, once, in the watcher or in all other threads of a server.

    Without `at` it remembers which lines there are. Not where a `with` gives its lock back: the interpreter interrupts
    no thread between the block's last call and that. Nor at `try`, which is no instruction to it.
    """

    def __init__(self, watcher: bool, error: type[BaseException], at: Where | None = None) -> None:
        self._watcher = watcher
        self._error = error
        self._at = at
        self.armed = False
        self.lines: dict[Where, None] = {}
        self.raised = threading.Event()
        self._ends: dict[str, dict[int, int]] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(FOLDER):
            return None
        thread = threading.current_thread().name
        if not thread.startswith("tpserver-") or self._watcher != (thread == WATCHER):
            return None
        ends = self._ends.get(name)
        if ends is None:
            ends = self._ends[name] = _blocks(name)
        last = 0

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            if event == "line" and self.armed:
                line, before = frame.f_lineno, last
                last = line
                end = ends.get(line, 0)
                if end != _NEVER and not line < before <= end:
                    self._come_to((name, line))
            return step

        return step

    def _come_to(self, where: Where) -> None:
        if self._at is None:
            self.lines[where] = None
        elif where == self._at and not self.raised.is_set():
            self.raised.set()
            raise self._error(where)


def _blocks(name: str) -> dict[int, int]:
    """The lines of a file where a `with` begins, and where it ends; _NEVER for the line of a `try`."""
    tree = ast.parse(Path(name).read_text(encoding="utf-8"))
    blocks = {one.lineno: one.end_lineno or 0 for one in ast.walk(tree) if isinstance(one, ast.With)}
    return blocks | {one.lineno: _NEVER for one in ast.walk(tree) if isinstance(one, ast.Try)}


@contextlib.contextmanager
def traced(interruption: Interruption) -> Iterator[None]:
    before = threading.gettrace()
    threading.settrace(interruption)
    try:
        yield
    finally:
        threading.settrace(before)  # type: ignore[arg-type]


def ask(running: Serving, *lines: bytes) -> None:
    """Each is answered, or its connection is closed: no client waits for ever."""
    with running.client() as client:
        for line in lines:
            with contextlib.suppress(ConnectionError):
                client.send(line + b"\n")
                answer = client.answer()
                assert answer in (b"", line[::-1])
                if answer:
                    continue
            return


class Asking(threading.Thread):
    """Asks from a thread of its own."""

    def __init__(self, running: Serving, *lines: bytes) -> None:
        super().__init__(name="client")
        self._asked = running, *lines
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            ask(*self._asked)
        except BaseException as error:  # noqa: BLE001 - it is raised in `ended`
            self._error = error

    def ended(self) -> None:
        self.join(2 * PATIENCE)
        assert not self.is_alive()
        if self._error is not None:
            raise self._error


def scenario(interruption: Interruption) -> None:
    """Leaders are relieved, others lead, requests run in the pool and wait in both queues; then all is quiet."""
    with traced(interruption), serving(LineServer(threads=2)) as running:
        engine = running.server
        go_on = threading.Event()
        for word in (b"hold", b"wait"):
            running.actions[word] = lambda _: (go_on.wait(PATIENCE), None)[1]
        ask(running, b"own first")
        watched = threading.Event()
        engine.service_actions = watched.set  # type: ignore[method-assign]
        assert watched.wait(PATIENCE)  # the watcher watches
        interruption.armed = True
        asking = []
        # In place, and relieved; in the pool; in place, and one more than there are threads; and behind these.
        for lines in ([b"hold 1", b"hold 2", b"quick"], [b"hold 3", b"quick"], [b"wait 4"], [b"hold 5"], [b"quick 6"]):
            asking.append(Asking(running, *lines))
            ask(running, b"own here")
            ask(running, b"own here")
        go_on.set()
        for one in asking:
            one.ended()
        interruption.armed = False
        with running.client() as client:
            for line in (b"hold 7", b"quick", b"own again"):
                assert client.ask(line) == line[::-1]
        running.until(lambda: not engine.tasks.everything())
        running.until_left(0)
        assert not any(cost.relieved for cost in engine.costs.groups.values())
    assert engine.tasks.begun() == []


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was lost is found as soon as may be. And no log keeps the stacks, with their sockets."""
    monkeypatch.setattr(logging.getLogger("tpserver"), "disabled", True)
    monkeypatch.setattr(watcher, "_ROUND", 0.002)
    monkeypatch.setattr(watcher, "_REST", 0.02)
    monkeypatch.setattr(connections, "SWEEP", 0.02)
    monkeypatch.setattr(lost_tasks, "_UNCLAIMED", 5)


@pytest.mark.timeout(300)  # in all, of some forty servers: each wait of theirs has its own limit
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("watcher", "error", "least"), [(False, TooLate, 300), (True, MemoryError, 80)], ids=["threads", "watcher"]
)
def test_none_leaves_the_server_without_a_leader_or_a_connection_open(
    watcher: bool, error: type[BaseException], least: int
) -> None:
    seen = Interruption(watcher, error)
    scenario(seen)
    lines = sorted(seen.lines)
    assert len(lines) > least
    for where in lines[::STRIDE]:
        interruption = Interruption(watcher, error, where)
        try:
            scenario(interruption)
        except BaseException as error:
            raise AssertionError(f"interrupted at {where}: {error!r}") from error
    gc.collect()  # a socket that was just accepted is closed here, and warned of


@pytest.fixture
def running() -> Iterator[Serving]:
    with serving(LineServer(threads=2)) as running:
        yield running


def test_a_thread_that_was_to_lead_and_never_came_is_replaced(
    running: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it was waiting for work, and what it was given went with it."""
    lost = threading.Event()
    go_on = threading.Event()
    running.actions[b"hold"] = lambda _: (go_on.wait(PATIENCE), None)[1]
    with running.client() as client, running.client() as other:
        assert client.ask(b"own first") == b"tsrif nwo"
        bench: Any = running.server._bench
        run = bench.run

        def lose(lead: Any, term: int) -> None:
            if lost.is_set():
                run(lead, term)
            lost.set()

        monkeypatch.setattr(bench, "run", lose)
        client.send(b"hold\n")
        assert lost.wait(PATIENCE)
        assert other.ask(b"own") == b"nwo"
        go_on.set()
        assert client.answer() == b"dloh"


@pytest.mark.parametrize("in_place", [True, False], ids=["a relieved leader", "a thread of the pool"])
def test_one_when_the_thread_gives_its_place_back_does_not_take_the_place(
    running: Serving, monkeypatch: pytest.MonkeyPatch, in_place: bool
) -> None:
    """Nor the connection, which is closed at worst; and the next requests find a thread."""
    admission = running.server.admission
    release = admission.release
    raised = threading.Event()
    go_on = threading.Event()

    def interrupted(*arguments: Any, **more: Any) -> Any:
        if not raised.is_set():
            raised.set()
            raise TooLate
        return release(*arguments, **more)

    running.actions[b"hold"] = lambda _: (go_on.wait(PATIENCE), None)[1]
    monkeypatch.setattr(admission, "release", interrupted)
    admission.in_place = in_place
    asking = Asking(running, b"hold")
    running.until(lambda: len(admission.tasks.running) == 1)
    go_on.set()
    asking.ended()
    assert raised.wait(PATIENCE)
    with running.client() as client:
        assert client.ask(b"second") == b"dnoces"
    running.until_left(0)


def test_one_in_a_request_costs_its_connection_and_no_other(running: Serving) -> None:
    def interrupted(_: bytes) -> None:
        raise TooLate

    running.actions[b"hold"] = interrupted
    for in_place in (True, False):
        running.server.admission.in_place = in_place
        with running.client() as client, running.client() as other:
            assert other.ask(b"before") == b"erofeb"
            assert client.ask(b"hold") == b""
            assert other.ask(b"after") == b"retfa"
        running.until_left(0)
