"""The table of a connection's states: from one to the next, and how long each may last."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace

import pytest

from tpserver.transport.connection import BODY, CLOSED, HEAD, IDLE, LINGERING, READY, RUNNING, SENDING, State
from tpserver.transport.pace import Timing
from tpserver.transport.states import LINGER, enter, next_state

NOW = 1000.0
TIMING = Timing(head_timeout=15, idle_timeout=75, min_rate=10, grace=5, send_timeout=30)


def connection(state, *, part="nothing", pending=False, come=False, end_told=True, **facts):
    """A connection in that state, between two requests but for what is said of it."""
    usual = {"broken": False, "outbox": None, "keep_alive": True, "client_ends": False, "deadline": 5.0, "taken": 20}
    return SimpleNamespace(
        state=state,
        timing=TIMING,
        receiver=SimpleNamespace(part=part, pending=pending),
        end_sending=lambda: True,
        has_come=lambda: come,
        encrypted=True,
        tell_end=lambda: end_told,
        **{**usual, **facts},
    )


@pytest.mark.parametrize("state", State)
def test_a_broken_connection_is_closed_and_one_with_something_left_sends_it(state):
    assert next_state(connection(state, broken=True, outbox=b"left"), draining=False) is CLOSED
    assert next_state(connection(state, outbox=b"left", keep_alive=False), draining=True) is SENDING


@pytest.mark.parametrize(
    ("state", "part", "then"),
    [
        (IDLE, "nothing", IDLE),
        (IDLE, "head", HEAD),
        (IDLE, "body", BODY),
        (HEAD, "nothing", HEAD),  # blank lines on a new connection: it has as long as before
        (HEAD, "head", HEAD),
        (HEAD, "body", BODY),
        (BODY, "body", BODY),
        (READY, "nothing", IDLE),
        (READY, "head", HEAD),
        (READY, "body", BODY),
        (LINGERING, "nothing", LINGERING),
        (LINGERING, "head", LINGERING),
    ],
)
@pytest.mark.parametrize("draining", [True, False])
def test_where_more_is_needed_what_has_begun_decides(state, part, then, draining):
    assert next_state(connection(state, part=part), draining) is then


@pytest.mark.parametrize("state", [RUNNING, SENDING])
@pytest.mark.parametrize(
    ("facts", "draining", "then"),
    [
        ({}, False, IDLE),
        ({"keep_alive": False, "pending": True, "part": "head"}, False, LINGERING),
        ({"keep_alive": False, "client_ends": True, "pending": True, "part": "head"}, False, LINGERING),
        ({"keep_alive": False, "client_ends": True}, False, CLOSED),
        ({"keep_alive": False, "client_ends": True}, True, CLOSED),
        ({"pending": True, "part": "head"}, False, READY),
        ({"pending": True, "part": "head"}, True, READY),
        ({"part": "body"}, False, BODY),
        ({"part": "body"}, True, BODY),
        ({}, True, LINGERING),
        ({"come": True}, True, IDLE),
    ],
)
def test_after_an_answer(state, facts, draining, then):
    assert next_state(connection(state, **facts), draining) is then


@pytest.mark.parametrize(
    ("before", "state", "deadline"),
    [
        (RUNNING, IDLE, NOW + 75),
        (IDLE, HEAD, NOW + 15),
        (HEAD, BODY, NOW + 5),
        (RUNNING, SENDING, NOW + 7),  # 20 bytes have been taken already
        (SENDING, LINGERING, NOW + LINGER),
        (RUNNING, READY, inf),
    ],
)
def test_each_state_lasts_so_long(before, state, deadline):
    one = connection(before)
    enter(one, state, NOW)
    assert (one.state, one.deadline) == (state, deadline)


@pytest.mark.parametrize("state", State)
def test_a_state_that_stays_keeps_its_deadline(state):
    one = connection(state)
    enter(one, state, NOW)
    assert (one.state, one.deadline) == (state, 5.0)


@pytest.mark.parametrize("state", [RUNNING, SENDING])
@pytest.mark.parametrize("client_ends", [True, False])
def test_the_end_that_tls_tells_is_sent_before_the_connection_closes(state, client_ends):
    one = connection(state, keep_alive=False, client_ends=client_ends, end_told=False)
    assert next_state(one, False) is SENDING
