"""What the parent of several processes says of them while they live: to the log, and to systemd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.systemd import Notifier
from tpserver.workers.supervisor import Supervisor

_log = Log("tpserver")

# Seconds beyond the time to drain that workers may take to end.
_ENDING: Final = 15
# Seconds between two lines about a stop, and about an import that takes long.
_BETWEEN: Final = 1.0
_LONG_IMPORT: Final = 30.0
# Seconds after which a worker is silent: it calls once a second.
_SILENCE: Final = 3.0


class Reports:
    """Of one supervisor, by its parent's main thread."""

    def __init__(
        self,
        supervisor: Supervisor,
        describe: Callable[[int], str],
        addresses: Sequence[str],
        drain_timeout: float,
    ) -> None:
        """`describe` names a worker. `addresses` are those that clients reach."""
        self._supervisor = supervisor
        self._describe = describe
        self._addresses = addresses
        self._stop_time = int((drain_timeout + _ENDING) * 1e6)
        self._notifier = Notifier()
        self._ready = False  # has been told
        self._replaced = 0  # workers, by the replacement of all that goes on
        self._next_sign = 0.0  # of life
        self._next_stop = 0.0
        self._next_import = 0.0

    def tell_stopping(self) -> None:
        """Workers are about to be told."""
        self._notifier.tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={self._stop_time}")
        self._next_stop = clock.monotonic() + _BETWEEN

    def close(self) -> None:
        """Tells systemd nothing from now on."""
        self._notifier.close()

    def check(self) -> None:
        """Several times a second: tells what is new."""
        now, supervisor = clock.monotonic(), self._supervisor
        if supervisor.stopping:
            self._tell_awaited(now)
        else:
            self._tell_states()
            self._tell_imports(now)
        self._tell_alive(now)

    def _tell_alive(self, now: float) -> None:
        interval, supervisor = self._notifier.interval, self._supervisor
        due = interval and now >= self._next_sign
        if due and (supervisor.stopping or supervisor.lives(now, max(interval, _SILENCE))):
            self._next_sign = now + interval
            self._notifier.tell("WATCHDOG=1")

    def _tell_awaited(self, now: float) -> None:
        """Workers log themselves what they wait for, as long as they can."""
        workers = self._supervisor.workers.values()
        if now < self._next_stop or not workers:
            return
        self._next_stop = now + _BETWEEN
        rest = max(max(worker.until for worker in workers) - now, 0)
        self._notifier.tell(f"STATUS=stopping: waiting for {_workers(len(workers))}, {rest:.0f} s at most")
        if silent := self._supervisor.silent(now, _SILENCE):
            who = f"{_workers(len(silent))} without a sign of life"
            rest = max(max(worker.until for worker in silent) - now, 0)
            _log.info("stopping: waiting for %s, %.0f s at most; a second signal ends at once", who, rest)

    def _tell_states(self) -> None:
        supervisor, ready = self._supervisor, ("READY=1", f"STATUS=serving at {', '.join(self._addresses)}")
        if supervisor.begun and not self._ready:
            self._ready = True
            self._notifier.tell(*ready)
        if supervisor.replacing_all and not self._replaced:
            self._replaced = supervisor.outdated
            text = f"replacing {_workers(self._replaced)}"
            self._notifier.tell_reloading()
            self._notifier.tell(f"STATUS={text}")
            _log.info("%s", text)
        elif self._replaced and not supervisor.replacing_all:
            self._notifier.tell(*ready)
            self._tell_replaced(self._replaced, supervisor.left_old)
            self._replaced = 0

    def _tell_replaced(self, count: int, left: int) -> None:
        if not left:
            _log.info("%s replaced", _workers(count))
            return
        _log.error(
            "the replacement has ended early: %d of %s of the old version; SIGHUP tries again",
            left,
            f"{_workers(count)} {'is' if left == 1 else 'are'} still",
        )

    def _tell_imports(self, now: float) -> None:
        if now < self._next_import:
            return
        for number in self._supervisor.importing(now, _LONG_IMPORT):
            self._next_import = now + _LONG_IMPORT
            began = self._supervisor.workers[number].began
            _log.warning("%s has been importing the application for %.0f s", self._describe(number), now - began)


def _workers(count: int) -> str:
    return f"{count} worker{'' if count == 1 else 's'}"
