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

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests import inside
from tests.client import PATIENCE, RESET
from tests.gates import Gates
from tests.running import Running, Start
from tests.waiting import eventually
from tpserver import make_server, spool
from tpserver.system.clock import clock

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first: at the end, all other processes would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


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


@pytest.fixture(scope="session")
def hard_resets() -> None:
    """For a test that must see a reset: skips it where a socket that is closed so ends as others do."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        one = socket.create_connection(listening.getsockname(), timeout=PATIENCE)
        other, _ = listening.accept()
    with one, other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        other.close()
        with contextlib.suppress(ConnectionResetError):
            one.recv(1)
            pytest.skip("SO_LINGER makes no reset here, as in wine 8")


@pytest.fixture(scope="session")
def thread_clock_tick() -> float:
    """Seconds. Where no cycles are counted (wine), Windows counts the time of a thread by 10 or 15.6 ms."""
    times = {clock.thread_time()}
    while len(times) < 3:
        times.add(clock.thread_time())
    first, second, third = sorted(times)
    return min(second - first, third - second)


@pytest.fixture(autouse=True, scope="session")
def quick_requests_are_quick(thread_clock_tick: float) -> Iterator[None]:
    """What computes for less than a tick of that clock seems to wait; here it is quick, as where the clock is fine."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if thread_clock_tick > 1e-3:
            inside.take_short_runs_for_quick(monkeypatch, thread_clock_tick)
        yield


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
