"""The tables of threads and methods in the docstrings of engine and transport have each public method, once."""

from __future__ import annotations

import inspect
import re

import pytest

from tpserver import engine, transport
from tpserver.engine.admission import Admission
from tpserver.engine.dispatch import Dispatch
from tpserver.engine.leader import Leader
from tpserver.engine.leadership import Leadership
from tpserver.engine.lost_tasks import LostTasks
from tpserver.engine.pool import Pool
from tpserver.engine.task import Tasks
from tpserver.engine.waiting import Waiting
from tpserver.engine.watcher import Watcher
from tpserver.transport.connection import Connection
from tpserver.transport.connections import Connections
from tpserver.transport.mailbox import Mailbox
from tpserver.transport.outbox import Outbox

CLASSES = (
    Admission, Connection, Connections, Dispatch, Leader, Leadership, LostTasks, Mailbox, Outbox, Pool, Tasks, Waiting,
    Watcher,
)  # fmt: skip


def table() -> dict[str, list[str]]:
    """Class -> the methods that its rows name."""
    rows: dict[str, list[str]] = {}
    name = ""
    tables = [(room.__doc__ or "").partition("-------\n")[2].partition("\n\n")[0] for room in (engine, transport)]
    for line in [line for table in tables for line in table.splitlines()]:
        cells = re.match(r"\s+(\S+)\s+(.*?)[ x]*$", line)
        assert cells is not None, line
        name = name if cells[1] == '"' else cells[1]
        methods = re.sub(r"\(post\)|; also .*|: any .*", "", cells[2])
        rows.setdefault(name, []).extend(re.findall(r"\w+", methods))
    return rows


def public_methods(cls: type) -> set[str]:
    return {
        name
        for name, value in vars(cls).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    }


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_table_says_which_thread_calls_each_method(cls: type) -> None:
    assert sorted(table()[cls.__name__]) == sorted(public_methods(cls))


def test_the_table_has_no_other_class() -> None:
    assert set(table()) == {cls.__name__ for cls in CLASSES}
