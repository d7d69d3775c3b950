"""What all tests share: a server on a free port, an application that waits, the log, and the `portable` environment."""

from __future__ import annotations

import importlib.util
import os

if os.environ.get("TPSERVER_TEST_PORTABLE"):
    # Before anything imports tpserver: what Windows does not have.
    from tests import portable

    if importlib.util.find_spec("hypothesis"):
        importlib.import_module("hypothesis")  # it brings others along that take what is hidden for granted
    portable.hide()

import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests import inside
from tests.client import PATIENCE
from tests.gates import Gates
from tests.running import Running, Start
from tests.waiting import eventually
from tpserver import make_server, spool

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has started this in its background. What the tests start would ignore Ctrl-C as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def contents_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory is left for contents that are larger than SPOOL."""
    monkeypatch.setattr(spool, "MEMORY", 0)


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: half as many again as there are processors, since tests wait for a third of their time."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return count + (count + 1) // 2


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers, by `make_server`'s arguments, on free ports; stops them after the test."""
    started: list[Running] = []

    def start_one(app: Any = None, **options: Any) -> Running:
        server = make_server("127.0.0.1", 0, app, **options)
        thread = threading.Thread(target=server.serve_forever, name="watcher")
        thread.start()
        eventually(lambda: inside.has_begun(server) or not thread.is_alive(), "the server does not serve")
        started.append(Running(server, thread))
        return started[-1]

    yield start_one
    for running in started:
        running.stop()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A server that has stopped leaves no thread behind."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{thread.name} is left over"


@pytest.fixture
def gates() -> Iterator[Gates]:
    """An application whose requests wait until the test lets them go."""
    with Gates() as gates:
        yield gates


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the server says, from debug on."""
    caplog.set_level(logging.DEBUG, logger="tpserver")
    return caplog
