"""What the parent does about its workers, as a state machine: events with their time in, commands out.

It has no process, no pipe and no clock; `parent` has those. A worker is STARTING until it has imported the application,
READY until it is told to accept, then SERVING, and DRAINING when it was told to finish. Whatever has happened,
`_decide` compares what there is with what there ought to be. The rules:

- At the start no worker accepts before all are ready. A worker that cannot start ends the whole.
- Later a worker that has ended is replaced, after a pause that doubles while workers end early, or soon ask to be
  replaced.
- Outdated workers are replaced one by one: a new one is started, and when it accepts an old one drains. With
  `drain_first`, for development, the old ones drain at once: no answer is older than the change.
- Where a replacement cannot start, the old workers go on, and are outdated no more.
"""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import Final, Literal, NamedTuple

# Seconds that a worker has to serve before its end counts as the first again, and bounds of the pause before the next.
_SETTLED: Final = 10.0
_FIRST_PAUSE: Final = 0.5
# Seconds that a worker gets beyond its own time to drain, for its threads and logs.
_GRACE: Final = 10.0
# Least seconds without a sign of life that count: it comes once a second, and later on a busy machine.
_LEAST_HANG: Final = 5.0
# Seconds between two events after which these processes, or the whole machine, have been stopped meanwhile.
_FROZEN: Final = 2.0


class State(IntEnum):
    """The life of a worker, in order."""

    STARTING = 0
    READY = 1
    SERVING = 2
    DRAINING = 3


class Command(NamedTuple):
    """What the parent does now: `verb` to the worker `number`. `why` is for the log."""

    verb: Literal["start", "commit", "drain", "stop", "kill"]
    number: int
    why: str = ""


class Worker:
    """What is known of one worker. `until`: when it is killed, by the clock of the caller."""

    __slots__ = ("began", "killed", "last_beat", "last_heard", "outdated", "state", "until")

    def __init__(self, now: float) -> None:
        self.state = State.STARTING
        self.outdated = False
        self.killed = False  # it took too long
        self.began = now  # to start, then to serve
        self.last_beat = now  # when it last did not hang
        self.last_heard = now
        self.until = inf


class Supervisor:
    """Decides for `count` workers. Times are seconds of one monotonic clock. One thread.

    A serving worker that has not called for `hang_timeout` seconds is killed (0: never; less than 5 is 5), one that
    drains after `drain_timeout` and a grace. `most_pause`: the longest pause between two attempts.
    """

    def __init__(
        self,
        count: int,
        *,
        hang_timeout: float = 0.0,
        drain_timeout: float = 30.0,
        drain_first: bool = False,
        most_pause: float = 30.0,
    ) -> None:
        self.workers: dict[int, Worker] = {}
        self.begun = False  # all have been ready once
        self.stopping = False
        self.replacing_all = False  # as `replace_all` has asked for
        self.left_old = 0  # workers that the last replacement of all has not replaced
        self._replace_due = False  # when all have begun
        self._count = count
        self._hang_timeout = max(hang_timeout, _LEAST_HANG) if hang_timeout else inf
        self._drain_timeout = drain_timeout
        self._drain_first = drain_first
        self._most_pause = most_pause
        self._started = 0  # workers, so far: the next one's number
        self._failures = 0  # workers that ended early, in a row
        self._next_start = -inf
        self._last_event = -inf

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to do."""
        return self.stopping and not self.workers

    @property
    def outdated(self) -> int:
        """How many workers are still to be replaced."""
        return sum(worker.outdated for worker in self.workers.values() if worker.state is not State.DRAINING)

    def lives(self, now: float, seconds: float) -> bool:
        """Whether any worker that serves has been heard of in the last `seconds`."""
        serving = map(self.workers.__getitem__, self._of(State.SERVING))
        return any(now - worker.last_heard <= seconds for worker in serving)

    def silent(self, now: float, seconds: float) -> list[Worker]:
        """The workers that have not been heard of in the last `seconds`, but for those that were killed for that."""
        return [worker for worker in self.workers.values() if not worker.killed and now - worker.last_heard > seconds]

    def importing(self, now: float, seconds: float) -> list[int]:
        """The workers that have imported the application for so long."""
        return [number for number in self._of(State.STARTING) if now - self.workers[number].began >= seconds]

    def is_leaving(self, number: int) -> bool:
        """Whether the end of a worker is expected."""
        return self.stopping or self.workers[number].state is State.DRAINING

    # -- events

    def tick(self, now: float) -> list[Command]:
        """Time has passed; also how it begins."""
        return self._decide(now)

    def ready(self, number: int, now: float) -> list[Command]:
        """A worker has imported the application, and waits to be told to accept."""
        worker = self.workers[number]
        if worker.state is State.STARTING:
            worker.state = State.READY
        return self._decide(now)

    def heard(self, number: int, now: float) -> None:
        """A worker has said something: its interpreter runs."""
        self.workers[number].last_heard = now

    def beat(self, number: int, now: float) -> None:
        """A worker has shown that it does not hang."""
        self.workers[number].last_beat = now

    def retire(self, number: int, now: float) -> list[Command]:
        """A worker asks to be replaced."""
        worker = self.workers[number]
        if worker.state is State.SERVING and not worker.outdated:
            self._set_pause(worker, now)  # a limit that is too low would have processes start all the time
        worker.outdated = True
        return self._decide(now)

    def replace_all(self, now: float) -> list[Command]:
        """All workers are to be replaced: application or options may have changed."""
        if not self.begun:  # they may have read what was there before, or not: none serves yet
            self._replace_due = True
        if not self.begun or self.stopping:
            return []
        self.replacing_all = True
        begun = [number for number, worker in self.workers.items() if worker.state < State.SERVING]
        for worker in self.workers.values():
            worker.outdated = True
        for number in begun:
            self._give_time(self.workers[number], now)
        return [Command("kill", number) for number in begun] + self._decide(now)

    def exited(self, number: int, now: float) -> list[Command]:
        """The process of a worker has ended, for whatever reason."""
        leaves = self.is_leaving(number)
        worker = self.workers.pop(number)
        if leaves:
            return self._decide(now)
        if not self.begun:
            return self.stop(now)
        if worker.state is not State.SERVING:
            self._keep_old()
        self._set_pause(worker, now)
        return self._decide(now)

    def stop(self, now: float) -> list[Command]:
        """All workers drain; a second call does not wait for them."""
        if self.stopping:
            return [Command("kill", number) for number in self.workers]
        self.stopping = True
        commands = []
        for number, worker in self.workers.items():
            if worker.state is not State.DRAINING:
                # One that still imports the application has nothing to finish, and does not listen to its parent.
                commands.append(Command("kill" if worker.state is State.STARTING else "stop", number))
                self._give_time(worker, now)
        return commands

    # -- what follows

    def _decide(self, now: float) -> list[Command]:
        if now - self._last_event > _FROZEN:  # the workers could not call either
            for worker in self.workers.values():
                worker.last_beat = worker.last_heard = now
        self._last_event = now
        commands = self._kill_late(now)
        if self.stopping:
            return commands
        commands += self._commit(now)
        commands += self._drain_outdated(now)
        commands += self._start_missing(now)
        if self.replacing_all and not self.outdated:
            self.replacing_all, self.left_old = False, 0
        return commands

    def _kill_late(self, now: float) -> list[Command]:
        commands = []
        for number, worker in self.workers.items():
            why = ""
            if now > worker.until:
                why = f"has not ended {_GRACE:g} s after its time to drain"
            elif worker.state is State.SERVING and now - worker.last_beat > self._hang_timeout:
                why = f"has given no sign of life for {self._hang_timeout:g} s (--hang-timeout)"
            if why and not worker.killed:
                worker.killed = True
                commands.append(Command("kill", number, why))
        return commands

    def _commit(self, now: float) -> list[Command]:
        ready = self._of(State.READY)
        if not self.begun and len(ready) < self._count:
            return []
        self.begun = True
        for number in ready:
            worker = self.workers[number]
            worker.state = State.SERVING
            worker.began = worker.last_beat = now
            worker.outdated = worker.outdated or self._replace_due
        self.replacing_all = self.replacing_all or self._replace_due
        self._replace_due = False
        return [Command("commit", number) for number in ready]

    def _drain_outdated(self, now: float) -> list[Command]:
        """Those for which a new one serves, or all."""
        serving = self._of(State.SERVING)
        outdated = [number for number in serving if self.workers[number].outdated]
        if not self._drain_first:
            outdated = outdated[: max(0, len(serving) - self._count)]
        for number in outdated:
            self._give_time(self.workers[number], now)
        return [Command("drain", number) for number in outdated]

    def _start_missing(self, now: float) -> list[Command]:
        there = [worker for worker in self.workers.values() if worker.state is not State.DRAINING]
        missing = self._count - len(there)
        replaced = any(worker.outdated for worker in there)
        if missing == 0 and replaced and all(worker.state is State.SERVING for worker in there):
            missing = 1  # more than wanted, for a moment
        if missing <= 0 or now < self._next_start:
            return []
        numbers = range(self._started, self._started + missing)
        self._started += missing
        self.workers.update({number: Worker(now) for number in numbers})
        return [Command("start", number) for number in numbers]

    def _set_pause(self, worker: Worker, now: float) -> None:
        """Before the next start, where the worker that is replaced has not served for long."""
        if worker.state is State.SERVING and now - worker.began >= _SETTLED:
            self._failures = 0
        else:
            self._next_start = now + min(_FIRST_PAUSE * 2.0**self._failures, self._most_pause)
            self._failures = min(self._failures + 1, 30)

    def _keep_old(self) -> None:
        """No more workers are replaced: a new one has not started."""
        if self.replacing_all:
            self.replacing_all, self.left_old = False, self.outdated
        for worker in self.workers.values():
            worker.outdated = False

    def _give_time(self, worker: Worker, now: float) -> None:
        worker.state = State.DRAINING
        worker.until = now + self._drain_timeout + _GRACE

    def _of(self, state: State) -> list[int]:
        return [number for number, worker in self.workers.items() if worker.state is state]
