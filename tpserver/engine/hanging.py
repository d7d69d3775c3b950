"""What hangs at a disk, and which requests are refused meanwhile.

A leader that waits for a disk is relieved (see watcher), and comes back when the disk has answered. A disk that never
answers, such as a mount whose server is gone, would take one leader after another, until none is left. So a place where
many hang, and none has come back since, gets no more of them: its files are answered with 503, others and applications
go on. A place is a folder as requests name it, a device that files are sent from, or the disk for contents.
"""

from __future__ import annotations

from collections.abc import Iterator
from os.path import commonprefix
from typing import Final

from tpserver.engine.task import Task
from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")

# So many hang at one place, for so many seconds, until it gets no more. A disk that is only slow answers some of them
# in the meantime.
MOST: Final = 16
PATIENCE: Final = 1.0
# Where what hangs is in so many parts of a folder, all of it hangs.
PARTS: Final = 8
# So many hang in all until a place gets no more where one hangs.
MANY: Final = 48
# So many hang in all until files are not looked for at all.
ALL: Final = 60
# Levels of folders that are told apart, and places whose answers are remembered.
_LEVELS: Final = 8
_PLACES: Final = 1024


class Hanging:
    """Of one server. Any thread may call; answers are a moment's."""

    def __init__(self, detours: dict[Task, None]) -> None:
        """`detours` are the registry's."""
        self._detours = detours
        self._answered: dict[str, float] = {}  # place -> when it has answered, while something hangs
        self._logged = False

    def refuses(self, place: str) -> str:
        """The folder around `place`, or `place` itself, that gets no more requests; "" where it does."""
        hung = [(task.place_name, task.begun) for task in self._detours.copy()]
        if len(hung) < MOST:
            self._logged = False
            return ""
        many = len(hung) >= MANY
        latest = clock.perf_counter() - (0.0 if many else PATIENCE)
        around = list(_around(place))
        for outer in around:
            since = self._answered.get(outer, 0.0)
            inside = [name for name, begun in hung if since < begun <= latest and name.startswith(outer)]
            almost_all = many and (outer != around[0] or "/" not in place)
            if len(inside) >= (1 if many else MOST):
                common = _common_folder(inside)
                parts = {_first_part(name, common) for name in inside}
                known = _first_part(place, common) in parts or len(parts) >= PARTS
                if place.startswith(common) and (known or almost_all):
                    return self._refuse(common, len(hung))
        return self._refuse(around[0], len(hung)) if len(around) > 1 and len(hung) >= ALL else ""

    def note_answer(self, place: str) -> None:
        """The disk has answered at `place`: a file was found or sent, or a leader has come back."""
        if len(self._answered) >= _PLACES:
            self._answered.clear()
        now = clock.perf_counter()
        for outer in _around(place):
            self._answered[outer] = now

    def _refuse(self, place: str, count: int) -> str:
        if not self._logged:
            self._logged = True
            _log.error("%d threads wait for a disk that does not answer (%s): no more are sent there", count, place)
        return place


def _common_folder(places: list[str]) -> str:
    """The innermost folder that has all of them; a place that is no path is its own.

    >>> _common_folder(["host/a/b.txt", "host/a/c/d.txt"]), _common_folder(["contents", "contents"])
    ('host/a/', 'contents')
    """
    common = commonprefix(places)  # noqa: RUF071 - cut back to whole names below
    folder, slash, _ = common.rpartition("/")
    return folder + slash if slash else common


def _first_part(place: str, folder: str) -> str:
    return place[len(folder) :].partition("/")[0]


def _around(place: str) -> Iterator[str]:
    """The folders around a place, the outermost first; the place itself where it is no path.

    >>> list(_around("host/a/b.txt")), list(_around("device 7"))
    (['host/', 'host/a/'], ['device 7'])
    """
    end = place.find("/")
    if end < 0:
        yield place
    for _ in range(_LEVELS):
        if end < 0:
            break
        yield place[: end + 1]
        end = place.find("/", end + 1)
