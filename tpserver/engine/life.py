"""The life of a server, in order: start, serve, drain, stop. The watcher lives it; `serve_forever` waits."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from tpserver.engine.admission import Admission
from tpserver.engine.dispatch import Dispatch
from tpserver.engine.leader import Leader
from tpserver.engine.leadership import Leadership
from tpserver.engine.pool import Pool
from tpserver.engine.task import Tasks
from tpserver.engine.waiting import Waiting
from tpserver.engine.watcher import Watcher
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.transport.connections import Connections
from tpserver.transport.errors import EngineBroken
from tpserver.transport.listener import ListeningServer, check_listening_socket
from tpserver.transport.pace import Timing
from tpserver.transport.protocol import ConnectionProtocol

_log = Log("tpserver")

# CPython 3.12.0 and 3.12.1 start no thread once the main thread has ended (gh-113964): there all are started at once.
_THREADS_REFUSED_EARLY: Final = (3, 12, 0) <= sys.version_info[:3] < (3, 12, 2)
# Seconds that a server waits for threads which were told to end.
_JOIN_TIMEOUT: Final = 2.0
# Seconds between two looks of who waits for the server's end: on Windows no wait is interrupted by Ctrl-C, and
# elsewhere a signal may come to another thread.
_LOOK: Final = 0.5


def _is_of_ending_process(error: BaseException) -> bool:
    """Whether a thread could not be started since the process ends, which waits for no daemon thread as this one."""
    ends = threading.current_thread().daemon and not threading.main_thread().is_alive()
    return ends and isinstance(error, RuntimeError)


class Life(IntEnum):
    """The life of a server, in order. After STOPPED it may begin again."""

    NEW = 0
    SERVING = 1
    DRAINING = 2  # nothing new is taken; what runs is finished
    STOPPING = 3  # no thread leads any more
    STOPPED = 4


class LivingServer(ListeningServer):
    """A listening server with threads that lead, a pool and a watcher. `Server` makes what it is made of."""

    protocol: ConnectionProtocol
    timing: Timing
    tasks: Tasks
    admission: Admission
    leadership: Leadership
    watcher: Watcher
    # Of one `serve_forever`, by `_build`:
    connections: Connections
    leader: Leader
    pool: Pool  # its threads run requests
    _bench: Pool  # its threads lead, or wait to
    _closing: Pool  # its threads close files of a disk that hangs
    _dispatch: Dispatch
    _waiting: Waiting

    life = Life.NEW
    broken = False  # it has stopped since other code has closed its sockets
    _raised: BaseException | None = None  # what `serve_forever` raises when the server has stopped
    _stop_requests = 0
    _stopped: threading.Lock  # held while it serves; for `shutdown` to wait for
    _at_work: dict[int, int]  # threads that lead, or were relieved and have not come back: identity -> term

    def _build(self) -> None:
        """The watcher: makes what lives as long as one `serve_forever`."""
        raise NotImplementedError

    def begin_shutdown(self) -> None:
        """As `shutdown`, without waiting: for signal handlers. A second call does not wait for what runs."""
        self._stop_requests += 1
        self.watcher.wake()

    # -- the caller of `serve_forever`

    def _serve(self, enough: Callable[[], bool]) -> None:
        """Has the watcher live a life of the server, until `enough` or told to stop, and waits for its end."""
        for sock in self.sockets:
            check_listening_socket(sock)
        begun, ended = threading.Lock(), threading.Lock()
        ended.acquire()
        watcher = threading.Thread(target=self._live, args=(enough, begun, ended), name="tpserver-watcher", daemon=True)
        self._stopped.acquire()
        self._enter(Life.NEW)
        try:
            watcher.start()
        except BaseException as error:
            if begun.acquire(blocking=False):  # it has not begun, and never will
                self._stopped.release()
                raise
            self._interrupted(error)
        self._wait(ended)
        raised, self._raised = self._raised, None
        if raised is not None and not _is_of_ending_process(raised):
            raise raised

    def _wait(self, ended: threading.Lock) -> None:
        """Takes a lock, and does nothing else: signal handlers run in the main thread, and may raise anywhere.

        No code bears that, least of all the standard library's conditions.
        """
        over = False
        while not over:
            try:
                while not over:
                    over = ended.acquire(timeout=_LOOK) or self.life is Life.STOPPED
            except BaseException as error:  # noqa: BLE001 - of a signal handler
                self._interrupted(error)

    def _interrupted(self, error: BaseException) -> None:
        """A signal handler has raised: what is no `Exception` (KeyboardInterrupt, SystemExit) ends the server."""
        if isinstance(error, Exception):
            _log.exception("a signal handler has raised; the server goes on")
        else:
            self._raised = error
            self.begin_shutdown()

    # -- the watcher

    def _live(self, enough: Callable[[], bool], begun: threading.Lock, ended: threading.Lock) -> None:
        """A whole life of the server. Takes `begun`, and releases `ended`."""
        if not begun.acquire(blocking=False):  # Ctrl-C, before this thread could begin
            return
        try:
            self._build()
            try:
                self._start()
                self._watch(enough)
                self._drain()
            finally:
                self._stop()
        except BaseException as error:  # noqa: BLE001 - `_serve` raises it
            self._raised = error
        finally:
            self._stop_requests = 0
            self._enter(Life.STOPPED)
            self._stopped.release()
            ended.release()

    def _enter(self, life: Life) -> None:
        """The only place that changes `life`."""
        self.life = life
        self.protocol.draining = life >= Life.DRAINING

    def _start(self) -> None:
        """Starts one thread of each kind at least: perhaps there are no more later. Raises RuntimeError."""
        self.broken = False
        self._enter(Life.SERVING)
        self.pool.start()
        self._bench.start()
        if _THREADS_REFUSED_EARLY:
            with contextlib.suppress(RuntimeError):
                self._bench.start(self.admission.threads)
                self.pool.start(self.admission.threads + self.admission.stream_threads)
        self._bench.run(self._lead, self.leadership.appoint())

    def _watch(self, enough: Callable[[], bool]) -> None:
        try:
            self.watcher.watch(lambda: self._stop_requests > 0 or enough())
        except BaseException as error:  # noqa: BLE001 - `service_actions` wants the program to end
            self._raised = error

    def _drain(self) -> None:
        deadline = clock.monotonic() + self.timing.drain_timeout

        def drained() -> bool:
            # A thread gives its connection back first, and its task ends then.
            return not self.tasks.everything() and self.connections.drained

        self._enter(Life.DRAINING)
        self.connections.mailbox.post(self.connections.begin_drain, clock.monotonic())
        self.watcher.watch(lambda: drained() or clock.monotonic() >= deadline or self._stop_requests > 1)

    def _stop(self) -> None:
        """What still runs is left behind, in daemon threads."""
        self._enter(Life.STOPPING)
        self.leader.stopped = True
        leading = self.leadership.close()
        self.connections.mailbox.wake()
        self._bench.shutdown(wait=False)
        left = {task.thread for task in self.tasks.begun()}
        self._bench.join(_JOIN_TIMEOUT, left)
        running, waiting, detours = len(self.tasks.running), self.tasks.waiting, len(self.tasks.detours)
        self._waiting.end_all()
        self._dispatch.forget()
        if detours or leading in self._at_work:
            _log.error("a thread hangs while it serves a file; it is left behind")
        else:
            self.connections.close()
        if running:
            many = f"{running} requests still run; their threads are"
            _log.error("%s left behind", "1 request still runs; its thread is" if running == 1 else many)
        if waiting:
            _log.error("%d requests still wait for a thread; they are dropped", waiting)
        self.protocol.end()
        self._closing.shutdown(wait=False)
        self.pool.shutdown(wait=False)
        self.pool.join(_JOIN_TIMEOUT, left)
        self.service_actions()

    # -- the bench

    def _lead(self, term: int) -> None:
        """A thread of the bench."""
        thread = threading.get_ident()
        self._at_work[thread] = term
        try:
            if self.leadership.take(term, thread):
                self.leader.lead(term)
        except EngineBroken as error:
            if not self.broken:
                _log.critical("cannot go on serving: %s; stopping", error)
            self.broken = True
            self._raised = error
            self.begin_shutdown()  # once more where it cannot even drain
        except BaseException:  # noqa: BLE001 - the watcher has another one lead
            _log.exception("internal error in the leader; another one takes over")
            self.watcher.wake()
        finally:
            del self._at_work[thread]

    def _is_at_work(self, thread: int, term: int) -> bool:
        """Whether that thread leads by that term, or was relieved of it and has not come back. A moment's answer."""
        return self._at_work.get(thread) == term

    def _relieve(self, attention_id: int) -> bool:
        """The watcher: promotes another leader, in place of one that is still at what `attention_id` stands for."""
        if not self._bench.available:
            return False
        term = self.leadership.relieve(attention_id, self._dispatch.hand_on)
        if term is not None:
            self._bench.run(self._lead, term)
        return term is not None

    def _replace_lost_leader(self) -> None:
        """The watcher: where no thread leads (none could be started, or it was interrupted) another is tried."""
        self._bench.start_replacements()
        if not self._bench.backlog:
            term = self.leadership.replace(self._is_at_work)
            if term is not None:
                self._bench.run(self._lead, term)
