"""What tests of whole servers ask of the engine, or change in it, beyond its public face.

Each of these reaches is here and nowhere else: a change of the engine's names is a change of this file. (The tests of
the engine itself know it, as does tests/failures/test_interrupted_threads.py.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.client import PATIENCE
from tpserver.engine import admission, connection, crowds, leader, polling, routes, table
from tpserver.engine import server as engine
from tpserver.engine.placement import Placement
from tpserver.engine.routes import Route
from tpserver.engine.timing import Timing

if TYPE_CHECKING:
    import pytest

    from tpserver import Server
    from tpserver.engine.connection import Connection

DEADLINE_INTERVAL = table.SWEEP  # seconds: deadlines are checked no more often
LINGER = table._LINGER  # seconds: how long a refused client may take to close its side

# Places that a test makes fail: (owner, name).
WRITE = (connection.Connection, "write")
FLUSH = (connection.Connection, "flush")
SEND = (connection.Connection, "_send")
NEW_CONNECTION = (table, "Connection")

# -- requests


def running(server: Server) -> int:
    """How many requests of the application run."""
    return server.admission.running


def waiting(server: Server) -> int:
    """How many wait for a thread."""
    return server.admission.waiting


def busy(server: Server) -> int:
    """How many run or wait."""
    return running(server) + waiting(server)


def threads(server: Server) -> int:
    """How many may run at once."""
    return server.admission.threads


def pool_threads(server: Server) -> int:
    """How many threads the pool has."""
    return server._pool.size


def run_in_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request of the application goes to the pool, as one does that computes for long."""
    computing = Route()
    computing.computing = 1.0
    monkeypatch.setattr(Placement, "route", lambda *_: computing)


def take_short_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that waits at all is known to wait, although it does not take long."""
    monkeypatch.setattr(routes, "BRIEF", 0.0)


def computes(server: Server) -> bool:
    """Whether the server knows a route that computes."""
    return any(route.computes for route in server.placement.wide.values())


def take_interpreter_for_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """How busy the interpreter is does not depend on what else this machine does."""
    monkeypatch.setattr(admission, "_WINDOW", 1e9)
    monkeypatch.setattr(admission, "SHARE", 1e9)


def keep_thread_for_quick_ones(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A thread is kept for quick requests for so long after the last one."""
    for module in (admission, engine):
        monkeypatch.setattr(module, "KEPT_FOR", seconds)


def forget_quick_ones(server: Server) -> None:
    """As if the last quick request had come a minute ago."""
    server.admission.quick_until = 0.0


def set_mean_time(server: Server, seconds: float) -> None:
    """How long requests have taken so far."""
    server.admission.mean = seconds


def notice_leavers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the client of a request that waits has left is asked however short it has waited."""
    monkeypatch.setattr(engine, "LEFT_AFTER", 0.0)


def around_end_of_request(
    monkeypatch: pytest.MonkeyPatch, server: Server, around: Callable[[Callable[[], object]], object]
) -> None:
    """`around` is called where a thread counts its request out, with the function that does it."""
    leave = server.admission.leave
    monkeypatch.setattr(server.admission, "leave", lambda *given, **more: around(lambda: leave(*given, **more)))


def wait_for_end(server: Server, seconds: float) -> None:
    """Until the server is down, but not longer than this."""
    server._down.wait(seconds)


def before_submitting(monkeypatch: pytest.MonkeyPatch, server: Server, first: Callable[[], None]) -> None:
    """`first` is called each time when work is about to go to the pool."""
    submit = server._submit

    def submit_later(*given: Any) -> Any:
        first()
        return submit(*given)

    monkeypatch.setattr(server, "_submit", submit_later)


# -- slow requests


def slow_is_checked(server: Server) -> bool:
    """Whether the server knows when it will next look for slow requests."""
    return server.watcher._next_look > 0


def check_slow(server: Server, now: float) -> None:
    """Looks for slow requests as if it were `now`."""
    server.running.look(now)


# -- the watcher and the leader


def wake_watcher(server: Server) -> None:
    server.watcher.wake()


def in_the_watcher(monkeypatch: pytest.MonkeyPatch, server: Server, place: str, work: Callable[[], None]) -> None:
    """`work` is done in place of something that the watcher does: in the middle of a round, or as it rests."""
    owner, name = {"round": (server, "service_actions"), "rest": (server.watcher, "_rest")}[place]
    monkeypatch.setattr(owner, name, lambda *_: work())


def wake_leader(server: Server) -> None:
    server.leader.wake()


def leader_turns(server: Server) -> int:
    """How often leaders have polled so far."""
    return server.leader.turns


def term(server: Server) -> int:
    """The number of the leader that leads."""
    return server.leadership.number


def leads(server: Server) -> bool:
    """Whether the calling thread is the leader."""
    return server.leadership.thread == threading.get_ident()


# -- connections


def open_connections(server: Server) -> int:
    return server.leader.open


def any_detached(server: Server) -> bool:
    """Whether a connection is with a thread, and not with the leader."""
    return any(one.away for one in list(server.leader.table.connections.values()))


def unsent(server: Server) -> list[int]:
    """The bytes that wait for slow readers, of each connection that has such."""
    return [one.outbox.size for one in server.connections() if one.outbox]


def lagging(server: Server) -> list[Connection]:
    """The connections whose stream the leader sends while its producer goes on."""
    return [one for one in server.connections() if one.lent]


def broken(one: Connection) -> bool:
    """Whether the server knows that this client has gone."""
    return one.broken


def take_all_clients_for_lagging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client lags that does not take all at once: no producer waits for one, however fast the machine is."""
    monkeypatch.setattr(connection, "_LAG", 0)


def replace_addresses(monkeypatch: pytest.MonkeyPatch, address: Callable[[int], str]) -> None:
    """Clients are counted by an address that is made of their port."""
    monkeypatch.setattr(crowds, "_address", lambda one: address(one.client_address[1]))


def descriptors(server: Server, what: str) -> list[int]:
    """The descriptors of a server, seen from a request that it runs."""
    connections = list(server.leader.table.connections.values())
    attended = server.leadership.attending
    polled: Any = server.leader.table
    return {
        "own": lambda: [next(one.fd for one in connections if one.away or one is attended)],
        "others": lambda: [one.fd for one in connections if one is not attended],
        "listener": lambda: [server.socket.fileno()],
        "poller": lambda: [polled.poller._epoll.fileno()],
        "wakeup": lambda: [polled.wakeup._receiving.fileno(), polled.wakeup._sending.fileno()],
    }[what]()


# -- deadlines


def replace_clock(monkeypatch: pytest.MonkeyPatch, now: Callable[[], float]) -> None:
    """The server measures its deadlines by another clock."""
    monkeypatch.setattr(leader, "monotonic", now)
    monkeypatch.setattr(connection, "monotonic", now)


def check_deadlines_soon(server: Server) -> None:
    """The leader checks all deadlines in its next turn."""
    server.leader.sweep_soon()


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
    monkeypatch.setattr(table, "new_poller", kind)


class HeldPoller:
    """In place of a server's poller: keeps the leader from looking at its sockets until the server drains.

    The turn in which it finds that out brings it nothing else.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
        leader: Any = server.leader
        self._poller = leader.table.poller
        self._held, self._drains = threading.Event(), threading.Event()
        sweep_soon = leader.sweep_soon

        def told_of_the_drain() -> None:
            sweep_soon()
            self._drains.set()

        monkeypatch.setattr(leader, "sweep_soon", told_of_the_drain)
        leader.table.poller = self
        leader.wake()
        assert self._held.wait(PATIENCE)

    def poll(self, timeout: float) -> Any:
        if self._drains.is_set():
            return self._poller.poll(timeout)
        self._held.set()
        self._drains.wait(PATIENCE)
        return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)
