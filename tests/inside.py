"""What tests of whole servers ask of the engine, or change in it, beyond its public face.

Each of these reaches is here and nowhere else: a change of the engine's names is a change of this file. (The tests of
the engine itself know it, as does tests/failures/test_interrupted_threads.py.)
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.client import PATIENCE
from tpserver import protocol
from tpserver.engine import admission, costs, dispatch, measuring
from tpserver.engine import server as engine
from tpserver.engine import waiting as waiting_rules
from tpserver.engine.admission import Admission
from tpserver.engine.costs import Kind
from tpserver.engine.life import Life
from tpserver.engine.pool import Pool
from tpserver.system.clock import clock
from tpserver.transport import address_limit, connections, polling, states
from tpserver.transport.connection import Connection
from tpserver.transport.pace import Timing

if TYPE_CHECKING:
    import pytest

    from tpserver import Server

DEADLINE_INTERVAL = connections.SWEEP  # seconds: deadlines are checked no more often
LINGER = states.LINGER  # seconds: how long a refused client may take to close its side

# Places that a test makes fail: (owner, name).
WRITE = (Connection, "write")
FLUSH = (Connection, "flush")
SEND = (Connection, "flush")
NEW_CONNECTION = (connections, "Connection")

# -- requests


def running(server: Server) -> int:
    """How many requests of the application run."""
    return len(server.tasks.running)


def waiting(server: Server) -> int:
    """How many wait for a thread."""
    return server.tasks.waiting


def busy(server: Server) -> int:
    """How many run or wait."""
    return running(server) + waiting(server)


def threads(server: Server) -> int:
    """How many may run at once."""
    return server.admission.threads


def pool_threads(server: Server) -> int:
    """How many threads the pool has."""
    return len(server.pool._threads)


def run_in_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request of the application goes to the pool, in servers that are made from now on."""

    def make(*given: Any, **more: Any) -> Admission:
        return Admission(*given, **{**more, "in_place": False})

    monkeypatch.setattr(engine, "Admission", make)


def take_short_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that waits at all is known to wait, although it does not take long."""
    monkeypatch.setattr(costs, "BRIEF", 0.0)


def take_for_long(server: Server, group: str) -> None:
    """The requests of this group are known to wait, and to take long."""
    cost = server.costs.groups[group] = costs.Cost(runs=costs.SPAN)
    cost.quick, cost.waiting, cost.elapsed, cost.trial_at = False, 1.0, 1.0, float("inf")


def computes(server: Server) -> bool:
    """Whether the server knows a route that computes."""
    records = [*server.costs.groups.copy().values(), *server.costs.routes.copy().values()]
    return any(one.kind(0.0, 1) is Kind.COMPUTING for one in records)


def compute_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long one computes, without a trial, and whatever else this machine does."""
    usage = measuring.thread_usage
    monkeypatch.setattr(measuring, "thread_usage", lambda: usage()._replace(waits=0))
    monkeypatch.setattr(admission, "_ALONE", 1e9)
    monkeypatch.setattr(costs, "_FIRST_TRIAL", 1e9)


def take_short_runs_for_quick(monkeypatch: pytest.MonkeyPatch, longest: float) -> None:
    """Whatever the clocks of the processor tell of runs that take up to `longest` seconds."""

    class ShortMeter(measuring.Meter):
        __slots__ = ()

        def end(self, *, is_counted: bool) -> measuring.Run:
            run = super().end(is_counted=is_counted)
            return run if run.elapsed > longest else run._replace(computed=0.0, computed_by_all=0.0, waited=False)

    monkeypatch.setattr(dispatch, "Meter", ShortMeter)


def take_short_waits_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the help that quick requests get where the clock of a thread is coarse."""
    monkeypatch.setattr(dispatch, "Meter", measuring.Meter)


def keep_thread_for_brief_ones(server: Server) -> None:
    """As if a brief request had come just now, and will come again and again."""
    server.admission._brief_at = clock.perf_counter() + 1e6


def set_queue_timeout(server: Server, seconds: float) -> None:
    """How long a request may wait for a thread, from now on."""
    server._waiting._timeout = seconds


def set_mean_time(server: Server, seconds: float) -> None:
    """How long requests have taken so far."""
    server.admission.mean = seconds


def notice_leavers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the client of a request that waits has left is asked however short it has waited."""
    monkeypatch.setattr(waiting_rules, "LEFT_AFTER", 0.0)


def around_end_of_request(
    monkeypatch: pytest.MonkeyPatch, server: Server, around: Callable[[Callable[[], object]], object]
) -> None:
    """`around` is called where a thread counts its request out, with the function that does it."""
    release = server.admission.release
    monkeypatch.setattr(server.admission, "release", lambda *given, **more: around(lambda: release(*given, **more)))


def wait_for_end(server: Server, seconds: float) -> None:
    """Until the server has stopped, but not longer than this."""
    if server._stopped.acquire(timeout=seconds):
        server._stopped.release()


def has_begun(server: engine.Server) -> bool:
    """Whether it serves, or has served: all that it is made of is there."""
    return server.life is not Life.NEW


def has_stopped(server: Server) -> bool:
    """Whether no thread leads."""
    return server.life in (Life.NEW, Life.STOPPED)


def before_promoting(monkeypatch: pytest.MonkeyPatch, server: Server, first: Callable[[], None]) -> None:
    """`first` is called each time when a thread is about to be told to lead."""
    run = Pool.run

    def run_later(own: Any, job: Any, argument: Any) -> None:
        first()
        run(own, job, argument)

    monkeypatch.setattr(Pool, "run", run_later)


# -- slow requests


def check_slow(server: Server, now: float) -> None:
    """Looks for slow requests as if it were `now`."""
    server.slow_log.check(now)


# -- the watcher and the leader


def wake_watcher(server: Server) -> None:
    server.watcher.wake()


def in_the_watcher(monkeypatch: pytest.MonkeyPatch, server: Server, place: str, work: Callable[[], None]) -> None:
    """`work` is done in place of something that the watcher does: in the middle of a round, or as it rests."""
    owner, name = {"round": (server, "service_actions"), "rest": (server.watcher, "_rest")}[place]
    monkeypatch.setattr(owner, name, lambda *_: work())


def wake_leader(server: Server) -> None:
    server.connections.mailbox.wake()


def leader_turns(server: Server) -> int:
    """How often leaders have polled so far."""
    return server.leader.turns


def term(server: Server) -> int:
    """The number of the leader that leads."""
    return server.leadership.term


def leads(server: Server) -> bool:
    """Whether the calling thread is the leader."""
    return server.leadership.thread == threading.get_ident()


# -- connections


def open_connections(server: Server) -> int:
    """How many there are."""
    return len(server.connections.by_fd)


def _all_connections(server: Server) -> list[Connection]:
    return list(server.connections.by_fd.copy().values())


def any_detached(server: Server) -> bool:
    """Whether a connection is with a thread, and not with the leader."""
    return any(one.detached for one in _all_connections(server))


def unsent(server: Server) -> list[int]:
    """The bytes that wait for slow readers, of each connection that has such."""
    return [one.outbox.size for one in _all_connections(server) if one.outbox]


def lagging(server: Server) -> list[Connection]:
    """The connections whose stream the leader sends while its producer goes on."""
    return [one for one in _all_connections(server) if one.detached and one.outbox is not None and one.outbox.watched]


def waits_for_room(server: Server) -> bool:
    """Whether the producer of a stream waits for its client."""
    names = {frame.name for thread in sys._current_frames().values() for frame in traceback.extract_stack(thread)}
    return "_wait_for_room" in names


def replace_addresses(monkeypatch: pytest.MonkeyPatch, address: Callable[[int], str]) -> None:
    """Clients are counted by an address that is made of their port."""
    for module in (address_limit, protocol):
        monkeypatch.setattr(module, "counted_address", lambda client_address: address(client_address[1]))


def descriptors(server: Server, what: str) -> list[int]:
    """The descriptors of a server, seen from a request that it runs."""
    every = _all_connections(server)
    attended = server.leadership.current
    poller: Any = server.connections.poller
    return {
        "own": lambda: [next(one.fd for one in every if one.detached or one is attended)],
        "others": lambda: [one.fd for one in every if one is not attended],
        "listener": lambda: [server.socket.fileno()],
        "poller": lambda: [poller._selector.fileno()],
        "wakeup": lambda: [sock.fileno() for sock in server.connections.mailbox.sockets],
    }[what]()


# -- deadlines


def replace_clock(monkeypatch: pytest.MonkeyPatch, now: Callable[[], float]) -> None:
    """The server measures its deadlines by another clock."""
    monkeypatch.setattr(clock, "monotonic", now)


def check_deadlines_soon(server: Server) -> None:
    """The leader checks all deadlines in its next turn."""
    server.connections.mailbox.post(_check_deadlines, server)


def _check_deadlines(server: Server) -> None:
    server.connections.next_sweep = 0.0


def replace_grace(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """How long a client may take before its pace counts."""
    monkeypatch.setattr("tpserver.run.Timing", lambda *given, **more: Timing(*given, **{"grace": seconds, **more}))


# -- polling

SelectorPoller = polling.SelectorPoller


def new_poller() -> Any:
    """A poller of the kind that this system has."""
    return polling.new_poller()


def use_poller(monkeypatch: pytest.MonkeyPatch, kind: Callable[[], Any]) -> None:
    """Servers that are made from now on poll with this kind."""
    monkeypatch.setattr(connections, "new_poller", kind)


class HeldPoller:
    """In place of a server's poller: keeps the leader from looking at its sockets until the server drains.

    The turn in which it finds that out brings it nothing else.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
        held: Any = server.connections
        self._poller = held.poller
        self._held, self._drains = threading.Event(), threading.Event()
        begin_drain = held.begin_drain
        post = held.mailbox.post

        def told(action: Any, argument: Any) -> None:
            post(action, argument)
            if action == begin_drain:
                self._drains.set()

        monkeypatch.setattr(held.mailbox, "post", told)
        held.poller = self
        held.mailbox.wake()
        assert self._held.wait(PATIENCE)

    def poll(self, timeout: float) -> Any:
        if self._drains.is_set():
            return self._poller.poll(timeout)
        self._held.set()
        self._drains.wait(PATIENCE)
        return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)
