"""The leader's work: poll, receive, answer or hand over, send what is left.

Exactly one thread at a time leads (the Leader/Followers pattern). It attends to one connection after another; while
it does, the watcher may relieve it: `Leadership` says how. What touches `Connections` is done by the leader only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tpserver.engine.dispatch import Dispatch
from tpserver.engine.hanging import Hanging
from tpserver.engine.leadership import Leadership
from tpserver.engine.pool import Pool
from tpserver.engine.task import Task, Tasks
from tpserver.engine.watcher import Watcher
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.gil_held_io import RECEIVE, Receive, Send, receive_holding, send_holding
from tpserver.transport.connection import BODY, IDLE, INTERNAL_ERROR, LINGERING, READY, RUNNING, SENDING, Connection
from tpserver.transport.connections import OVERDUE, Connections
from tpserver.transport.outbox import FilePiece, device_name
from tpserver.transport.polling import NOTHING, READ, WRITE
from tpserver.transport.protocol import Address, ConnectionProtocol, Request

_log = Log("tpserver")

# A connection is received from so often in one turn at the most, so that others get theirs.
_STEPS: Final = 8
# Responses that are held back for each other, at the most.
_BATCH: Final = 32
# Requests of one client that are answered in one turn, if they are here already, and their responses sent together.
_PIPELINED: Final = 16


class Leader:
    """What leads one server. `lead` runs in one thread of the bench after another."""

    def __init__(
        self,
        connections: Connections,
        leadership: Leadership,
        dispatch: Dispatch,
        tasks: Tasks,
        protocol: ConnectionProtocol,
        watcher: Watcher,
        hanging: Hanging,
        closing: Pool,
        *,
        process_request: Callable[[Request, Address], bool],
    ) -> None:
        """`closing` has threads that close files; `process_request` says whether the request was answered here."""
        self.connections = connections
        self._leadership = leadership
        self._dispatch = dispatch
        self._tasks = tasks
        self._protocol = protocol
        self._watcher = watcher
        self._hanging = hanging
        self._closing = closing
        self._process_request = process_request
        self._unsent: list[Connection] = []  # answered this turn; survives a change of leader
        self._suspects: set[Connection] = set()  # that nothing had at the last sweep
        self._receive_call: Receive | None = None  # None: as usual
        self._send_call: Send | None = None
        self.stopped = False  # set by the watcher: no thread leads any more
        self.turns = 0  # that brought something: the watcher looks whether it grows

    # -- the leader's turn

    def lead(self, term: int) -> None:
        """Leads until relieved or stopped. Raises `EngineBroken` where that is impossible."""
        connections, dispatch, tasks = self.connections, self._dispatch, self._tasks
        self._send_unsent(clock.monotonic())  # what the leader before was relieved of
        while not self.stopped:
            events = connections.poll(wait=not (tasks.for_leader and dispatch.has_for_leader()))
            if events or connections.ready:
                self.turns += 1  # before the look at the watcher, which looks at this when it has lain down
                if self._watcher.sleeps:
                    self._watcher.wake()
            now = clock.monotonic()
            # Threads that run may compute, and take the interpreter at each system call that lets it go.
            self._receive_call, self._send_call = (receive_holding, send_holding) if tasks.running else (None, None)
            self._protocol.begin_turn()
            if connections.mailbox.posts:
                connections.mailbox.deliver()
            if connections.ready:  # their next requests are here already: behind the others, and each once
                ready = {connection.fd: NOTHING for connection in connections.ready}
                events = [event for event in events if event[0] not in ready] + list(ready.items())
            for fd, _ in events:
                connection = connections.by_fd.get(fd)
                if connection is None:
                    if fd == connections.mailbox.fd:
                        connections.mailbox.silence()
                    elif fd in connections.listener.fds:
                        connections.accept(now)
                        # Their requests may be here already: one that is answered and closed is never watched.
                        events += [
                            (connection.fd, NOTHING) for connection in connections.ready if not connection.polled
                        ]
                elif connection.detached:
                    connections.send_on(connection)
                elif not self._attend(connection, None, now, term):
                    return
            if tasks.for_leader and not self._run_queued(now, term):
                return
            self._send_unsent(now)
            if now >= connections.next_sweep:
                connections.sweep(now)
                self._end_lost()

    def _attend(self, connection: Connection, task: Task | None, now: float, term: int, left: int = _PIPELINED) -> bool:
        """Moves one connection on, or runs `task` of it. False: relieved meanwhile, and leads no more.

        In the middle leadership may be lost: nothing that is called there touches the poller or the registry.
        """
        leadership = self._leadership
        leadership.attention_id += 1
        if self.connections.ready:
            self.connections.ready.pop(connection, None)
        leadership.current = connection
        owned = True
        try:
            state = connection.state
            if state is IDLE:  # first: the usual case
                owned = self._receive(connection, now)
            elif task is not None:
                owned = self._dispatch.run_queued(task, clock.perf_counter())
            elif state is SENDING:
                if connection.deadline == OVERDUE:
                    self._end_overdue(connection)
                elif self._tasks.detours:
                    self._send_beside_hangs(connection, now)
                else:
                    connection.progress(connection.flush(), now)
            elif state is LINGERING:
                self._swallow(connection)
            elif state is READY:
                owned = self._proceed(connection, b"")
            else:
                owned = self._receive(connection, now)
        except BaseException:  # noqa: BLE001 - one connection must not end the others
            _log.exception(INTERNAL_ERROR)
            # Detached by this leader: handed over, or about to be.
            owned = not (connection.detached and leadership.current is connection)
            if owned:
                connection.abort()
        if leadership.finish(term):
            if owned:
                self._dispatch.give_back(connection)
            self._dispatch.end_relieved()
            return False
        if owned:
            if connection.receiver.pending and left > 1 and self._goes_on(connection):
                return self._attend(connection, None, now, term, left - 1)
            if connection.unsent_response is None:
                if connection.held:
                    connection.flush()
                self.connections.settle(connection, now)
            else:
                self._unsent.append(connection)
                if len(self._unsent) >= _BATCH or self._dispatch.took_long:
                    self._send_unsent(now)
        return True

    def _goes_on(self, connection: Connection) -> bool:
        """Whether the next request of a client that pipelines is answered in the same turn, and sent with this one."""
        if connection.state is not RUNNING or not connection.keep_alive or self._dispatch.took_long:
            return False
        if not connection.hold():
            return False
        connection.state = READY
        return True

    def _run_queued(self, now: float, term: int) -> bool:
        """Runs quick requests that have waited, in place. False: relieved meanwhile."""
        for _ in range(_BATCH):
            task = self._dispatch.admission.next_for_leader(clock.perf_counter())
            if task is None:
                break
            task.connection.detached = False
            if not self._attend(task.connection, task, now, term):
                return False
        return True

    def _send_unsent(self, now: float) -> None:
        """Sends the responses that were held back for each other.

        One after the other they cost less than each behind its request: a client that serves many connections is
        woken once. Measured: 60 000 instead of 52 000 requests/s.
        """
        unsent = self._unsent
        while unsent:
            connection = unsent.pop(0)  # before anything can fail: the next leader does not fail with it too
            try:
                connection.flush(self._send_call)
            except BaseException:  # noqa: BLE001 - one connection must not end the others
                _log.exception(INTERNAL_ERROR)
                connection.abort()
            self.connections.settle(connection, now)
        self._dispatch.took_long = False

    def _end_lost(self) -> None:
        """The leader, after a sweep: ends what an interrupted thread had, and has not been seen elsewhere since.

        Between two turns each connection is watched, or ready, or belongs to a task, or has been given back.
        """
        connections, suspects = self.connections, self._suspects
        owned: set[object] = {task.connection for task in self._tasks.everything()}  # first: tasks end last
        owned |= {post.args[0] for post in connections.mailbox.posts.copy()}
        self._suspects = set()
        for connection in list(connections.by_fd.values()):
            state = connection.state
            if connection.detached or state is RUNNING or connection.broken:
                lost = connection not in owned
            else:
                lost = state is READY and connection not in connections.ready
            if lost and connection in suspects:
                connection.detached = False
                connections.drop(connection)
            elif lost:
                self._suspects.add(connection)
            elif not connection.detached:  # the interrupted leader may not have come to it
                connections.watch(connection, WRITE if state is SENDING else READ)

    # -- one connection

    def _receive(self, connection: Connection, now: float) -> bool:
        receive = self._receive_call
        if receive is not None and connection.encrypted:
            receive = None
        for _ in range(_STEPS):
            try:
                data = connection.sock.recv(RECEIVE) if receive is None else receive(connection.sock)
            except BlockingIOError:
                return True
            except OSError:
                data = b""
            if not data:
                connection.abort()  # the client has gone
                return True
            if not self._proceed(connection, data):
                return False
            if connection.state is RUNNING:
                return True
            if connection.state is BODY:
                connection.progress(len(data), now)
            if len(data) < RECEIVE:
                return True
        return True

    def _proceed(self, connection: Connection, data: bytes) -> bool:
        """Gives the receiver what has come, and does what it says; whether the caller still has the connection."""
        outcome = connection.receiver.receive(data)
        while outcome is not None:
            if outcome.kind == "request":
                connection.state = RUNNING
                outcome.connection = connection
                if not self._process_request(outcome, connection.client_address):
                    return False
                if connection.unsent_response is None and not connection.held:
                    connection.flush()
                return True  # a response in one piece is sent with others, see `_send_unsent` and `_goes_on`
            if outcome.kind == "refusal":
                self.connections.refuse(connection, outcome.cause, outcome.data)
                return True
            if outcome.kind == "introduction":
                rest = self.connections.introduce(connection, outcome)
                if rest is None:
                    return True
                outcome = connection.receiver.receive(rest)
                continue
            connection.write(outcome.data)
            connection.flush()
            outcome = connection.receiver.receive(b"")
        return True

    def _send_beside_hangs(self, connection: Connection, now: float) -> None:
        """As a leader must while others wait for a disk: it may be the same one."""
        place = device_name(connection.outbox)
        if place and self._hanging.refuses(place):
            self.connections.ended["disk hangs"] += 1
            self._reset_without_files(connection)
            return
        connection.progress(connection.flush(), now)
        if place:
            self._hanging.note_answer(place)

    def _end_overdue(self, connection: Connection) -> None:
        if self._tasks.detours:
            self._reset_without_files(connection)
        else:
            connection.reset()

    def _reset_without_files(self, connection: Connection) -> None:
        """To close a file of a disk that hangs may take as long as to read it: that is left to other threads."""
        if connection.outbox is not None:
            for file in connection.outbox.take_files():
                self._closing.run(FilePiece.close, file)
        connection.reset()  # what is missing cannot be told in another way

    def _swallow(self, connection: Connection) -> None:
        """Drops what comes until the client closes."""
        try:
            if not connection.sock.recv(RECEIVE):
                connection.abort()
        except BlockingIOError:
            pass
        except OSError:
            connection.abort()
