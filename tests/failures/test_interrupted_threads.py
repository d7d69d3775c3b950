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
from tpserver.engine import rescue, watcher

Where = tuple[str, int]

FOLDER = os.path.dirname(os.path.abspath(engine.__file__))
# One line in so many. With 1 it takes a minute, and tells all.
STRIDE = int(os.environ.get("TPSERVER_TEST_STRIDE", "13"))


class TooLate(BaseException):
    """What such a library raises."""


class Interruption:
    """Raises at a line of the engine, once, in the threads that `chosen` names; or remembers which lines there are.

    Not where a `with` gives its lock back: the interpreter interrupts nobody between the block's last call and that.
    """

    def __init__(self, chosen: str, error: type[BaseException], at: Where | None = None) -> None:
        self._chosen = chosen
        self._error = error
        self._at = at
        self.armed = False
        self.lines: dict[Where, None] = {}
        self.raised = threading.Event()
        self._ends: dict[str, dict[int, int]] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(FOLDER) or not threading.current_thread().name.startswith(self._chosen):
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
                if not line < before <= ends.get(line, 0):
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
    """The lines of a file where a `with` begins, and where it ends."""
    tree = ast.parse(Path(name).read_text(encoding="utf-8"))
    return {one.lineno: one.end_lineno or 0 for one in ast.walk(tree) if isinstance(one, ast.With)}


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
    """A leader is relieved of a request, another one leads, and the next ones of that kind run in the pool and wait."""
    with traced(interruption), serving(LineServer(threads=1)) as running:
        server = running.server
        go_on = threading.Event()
        running.actions[b"hold"] = lambda _: (go_on.wait(PATIENCE), None)[1]
        ask(running, b"own first")
        interruption.armed = True
        asking = [Asking(running, b"hold 1", b"hold 2", b"quick")]
        ask(running, b"own here")
        asking += [Asking(running, b"hold %d" % number, b"quick") for number in (3, 4)]
        ask(running, b"own here")
        go_on.set()
        for one in asking:
            one.ended()
        interruption.armed = False
        with running.client() as client:
            for line in (b"hold 5", b"quick", b"own again"):
                assert client.ask(line) == line[::-1]
        running.until(lambda: not (server.admission.running or server.admission.held or server.running.strays))
        running.until_left(0)
        assert not server.rescue.strays


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was lost is found as soon as may be. And no log keeps the stacks, with their sockets."""
    monkeypatch.setattr(logging.getLogger("tpserver"), "disabled", True)
    monkeypatch.setattr(watcher, "_LOOK", 0.002)
    monkeypatch.setattr(watcher, "_REST", 0.02)
    monkeypatch.setattr(rescue, "_AGAIN", 0.02)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("chosen", "error", "least"), [("tpserver_", TooLate, 300), ("watcher", MemoryError, 80)])
def test_none_leaves_the_server_without_a_leader_or_a_connection_open(
    chosen: str, error: type[BaseException], least: int
) -> None:
    seen = Interruption(chosen, error)
    scenario(seen)
    lines = sorted(seen.lines)
    assert len(lines) > least
    for where in lines[::STRIDE]:
        interruption = Interruption(chosen, error, where)
        try:
            scenario(interruption)
        except BaseException as error:
            raise AssertionError(f"interrupted at {where}: {error!r}") from error
    gc.collect()  # a socket that was just accepted is closed here, and warned of


@pytest.fixture
def running() -> Iterator[Serving]:
    with serving(LineServer(threads=1)) as running:
        yield running


def test_a_thread_that_was_to_lead_and_never_came_is_replaced(
    running: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it was waiting for work, and what it was given went with it."""
    submit = running.server._submit
    lost = threading.Event()
    go_on = threading.Event()

    def lose(work: Any, argument: Any) -> Any:
        if not lost.is_set():
            lost.set()
            return None
        return submit(work, argument)

    running.actions[b"hold"] = lambda _: (go_on.wait(PATIENCE), None)[1]
    with running.client() as client, running.client() as other:
        assert client.ask(b"own first") == b"tsrif nwo"
        monkeypatch.setattr(running.server, "_submit", lose)
        client.send(b"hold\n")
        assert lost.wait(PATIENCE)
        assert other.ask(b"own") == b"nwo"
        go_on.set()
        assert client.answer() == b"dloh"


def test_one_when_the_thread_gives_its_place_back_does_not_take_the_place(
    running: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the connection, which is closed at worst; and the next requests find a thread."""
    admission = running.server.admission
    leave = admission.leave
    raised = threading.Event()

    def interrupted(*arguments: Any, **more: Any) -> Any:
        if not raised.is_set():
            raised.set()
            raise TooLate
        return leave(*arguments, **more)

    ask(running, b"own first")
    monkeypatch.setattr(admission, "leave", interrupted)
    monkeypatch.setattr(running.server, "_in_place", False)
    ask(running, b"first")
    assert raised.wait(PATIENCE)
    with running.client() as client:
        assert client.ask(b"second") == b"dnoces"
    running.until_left(0)
