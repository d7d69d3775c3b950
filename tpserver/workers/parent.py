"""The parent's side: starts processes, hears them, and does what the supervisor says. Runs no application code."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Final

from tpserver.errors import StartError
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.workers.link import Pipe, held_back
from tpserver.workers.supervisor import Command, Supervisor

_log = Log("tpserver")

# Seconds between two looks at processes and signals: nothing announces those everywhere.
_TICK: Final = 0.2

# The exit status of a process that could not begin, since its program starts processes of its own.
UNGUARDED: Final = 217
_UNGUARDED: Final = (
    'call serve() below `if __name__ == "__main__":`; the processes that it starts import the main module as well'
)

# What a process runs: its end of the pipe, its number, and what else it needs. It must be importable by its name.
Target = Callable[..., None]


class StartFailed(StartError):
    """A worker could not start: the error that it has told, with its exit status."""

    def __init__(self, message: str, cause_text: str, exit_status: int) -> None:
        super().__init__(message, cause_text)
        self.exit_status = exit_status


class _Child:
    """A process, and this end of its pipe."""

    def __init__(self, process: SpawnProcess, pipe: Pipe) -> None:
        self.process = process
        self.pipe = pipe

    def messages(self) -> Iterator[tuple[object, ...]]:
        """What it has said since the last time."""
        try:
            while not self.pipe.closed and self.pipe.poll():
                yield self.pipe.recv()
        except (EOFError, OSError):
            self.pipe.close()

    def say(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # it has ended, or is about to
            self.pipe.send(message)


class Parent:
    """Runs what a `Supervisor` decides. The main thread, except for `ask`."""

    def __init__(
        self,
        supervisor: Supervisor,
        target: Target,
        arguments: tuple[object, ...],
        hear: Callable[[int, tuple[object, ...]], object] = lambda number, message: None,
    ) -> None:
        """Each process calls `target(pipe, number, *arguments)`. `hear` gets messages that are not the supervisor's."""
        self._supervisor = supervisor
        self._target = target
        self._arguments = arguments
        self._hear = hear
        self._context = multiprocessing.get_context("spawn")
        self._children: dict[int, _Child] = {}
        self._asked: list[str] = []
        self._error: StartFailed | None = None
        self.turned: Callable[[], object] = lambda: None  # called several times a second
        self.committed: Callable[[int], object] = lambda number: None  # called when a worker begins to accept
        self.stopping: Callable[[], object] = lambda: None  # called before workers are told to stop

    def ask(self, what: str) -> None:
        """Any thread, and signal handlers: "stop", "replace" all workers, or "reopen" their logs."""
        self._asked.append(what)

    def describe(self, number: int) -> str:
        """A worker, for the log."""
        child = self._children.get(number)
        return f"worker {number}" if child is None else f"worker {number} (process {child.process.pid})"

    def run(self) -> None:
        """Returns when all workers have ended. Raises `StartError` where they could not start."""
        try:
            self._do(self._supervisor.tick(clock.monotonic()))
            while not self._supervisor.ended:
                self._turn()
        finally:  # also where a signal handler has raised
            for child in self._children.values():
                child.process.kill()
        if self._error is not None and not self._supervisor.begun:
            raise self._error

    def _turn(self) -> None:
        children = self._children.values()
        sentinels = [child.process.sentinel for child in children]
        pipes = [child.pipe for child in children if not child.pipe.closed]
        with contextlib.suppress(InterruptedError):  # by Ctrl-C, on Windows
            wait([*sentinels, *pipes], _TICK)
        for number, child in list(self._children.items()):
            status = child.process.exitcode  # before its messages are read: after it has ended there are no more
            for message in child.messages():
                self._take(number, message)
            if status is not None:
                self._take_end(number, status)
        if os.getpid() == 1:
            reap_strangers([child.process.pid for child in children])
        while self._asked:
            self._answer(self._asked.pop(0))
        self._do(self._supervisor.tick(clock.monotonic()))
        self.turned()

    def _take(self, number: int, message: tuple[object, ...]) -> None:
        supervisor, now = self._supervisor, clock.monotonic()
        supervisor.heard(number, now)
        if message[0] == "beat":
            supervisor.beat(number, now)
        elif message[0] == "ready":
            self._do(supervisor.ready(number, now))
        elif message[0] == "retire":
            # A signal to all processes may have reached this one as well.
            if not (supervisor.workers[number].outdated or supervisor.stopping or "stop" in self._asked):
                _log.info("worker %d is to be replaced: %s", number, message[1])
            self._do(supervisor.retire(number, now))
        elif message[0] == "failed":
            _, line, details, status = message
            error = StartFailed(str(line), str(details), int(str(status)))
            if supervisor.begun:
                _log.error("a new worker cannot start: %s\n%s", line, details)
            self._error = self._error or error
        elif message[0] != "hangs":
            self._hear(number, message)

    def _take_end(self, number: int, status: int) -> None:
        name, child = self.describe(number), self._children.pop(number)
        child.process.join()
        child.pipe.close()
        supervisor = self._supervisor
        expected = supervisor.is_leaving(number)
        if not expected and supervisor.begun:
            _log.error("%s has ended: %s", name, _how(status))
        elif status == UNGUARDED and not expected and self._error is None:
            self._error = StartFailed(_UNGUARDED, "", 2)
        elif not expected and self._error is None:
            self._error = StartFailed(f"a worker has ended before it could serve: {_how(status)}", "", 1)
        self._do(supervisor.exited(number, clock.monotonic()))

    def _answer(self, what: str) -> None:
        now = clock.monotonic()
        if what == "stop":
            self.stopping()
            self._do(self._supervisor.stop(now))
            return
        for child in self._children.values():
            child.say("reopen")
        if what == "replace":
            self._do(self._supervisor.replace_all(now))

    def _do(self, commands: list[Command]) -> None:
        for verb, number, why in commands:
            if verb == "start" and self._supervisor.stopping:  # another one could not be started
                self._do(self._supervisor.exited(number, clock.monotonic()))
            elif verb == "start":
                self._start(number)
            elif (child := self._children.get(number)) is None:
                continue  # it could not be started
            elif verb == "kill":
                if why:
                    _log.warning("%s %s; it is killed", self.describe(number), why)
                child.process.kill()
            else:
                child.say(verb)
                if verb == "commit":
                    self.committed(number)

    def _start(self, number: int) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=self._target, args=(theirs, number, *self._arguments), name=f"tpserver-worker-{number}"
        )
        try:
            with _signals_held_back():
                process.start()
        except OSError as error:  # no memory, too many processes
            text = f"cannot start a process: {error.strerror}"
            _log.error("%s", text)
            self._error = self._error or StartFailed(text, "", 1)
            self._do(self._supervisor.exited(number, clock.monotonic()))
        else:
            self._children[number] = _Child(process, ours)
        theirs.close()


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """A process that is started meanwhile gets no signal before it has handlers."""
    if sys.platform == "win32":
        yield
    else:
        # It is started with the first process, and would unblock the signals.
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, held_back())
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def reap_strangers(own: list[int | None]) -> None:
    """Ends the zombies of processes that this one has inherited as process 1 of a container."""
    if sys.platform == "linux":
        with contextlib.suppress(ChildProcessError):  # there is no child at all
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if found.si_pid in own:  # it comes first until its end has been taken
                    return
                os.waitpid(found.si_pid, 0)


def _how(status: int) -> str:
    """A process's exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"
