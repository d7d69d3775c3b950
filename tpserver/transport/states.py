"""The states of a connection: which one comes next, and how long each may last.

    from             when                                       to          deadline
    ---------------  -----------------------------------------  ----------  -------------------------------------------
    (accepted)                                                  HEAD        head_timeout
    any              it is broken                               CLOSED      -
    any              something is left in its outbox            SENDING     the pace of a transfer
    IDLE HEAD BODY   a head has begun                           HEAD        head_timeout
    READY            a body has begun                           BODY        the pace of a transfer
      "              a request is complete, or refused          RUNNING     - (set by the leader that received it)
    READY            neither (blank lines)                      IDLE        idle_timeout
    RUNNING SENDING  the client ends with this request          CLOSED      -
      "              it ends, and TLS has not told so yet       SENDING     the pace of a transfer
      "              it ends with this response                 LINGERING   LINGER
      "              bytes of the next request have come        READY       none: the leader attends to it in this turn
      "              the server drains, nothing has come        LINGERING   LINGER
      "              a body has begun ("100 Continue" is sent)  BODY        the pace of a transfer
      "              else                                       IDLE        idle_timeout
    IDLE             the server drains, nothing has come        LINGERING   LINGER (`Connections.begin_drain`)
    LINGERING        the client has closed                      CLOSED      -

A state that stays as it is keeps its deadline; the leader moves that of BODY and SENDING on with each byte
(`Connection.progress`). A connection that is `detached` has no deadline: its thread has it, whatever its state.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final

from tpserver.transport.connection import (
    BODY,
    CLOSED,
    HEAD,
    IDLE,
    LINGERING,
    READY,
    RUNNING,
    SENDING,
    Connection,
    State,
)

# Seconds that a closing connection waits for its client to close; what comes is dropped (RFC 9112 section 9.6).
LINGER: Final = 2.0
# Connections beyond the limit that linger at once: as many as `select` on Windows has left.
TURNED_AWAY: Final = 8


def next_state(connection: Connection, draining: bool) -> State:
    """The leader: what a connection waits for once it has been attended to or given back. The table's rows."""
    state = connection.state
    if connection.broken:
        return CLOSED
    if connection.outbox:
        return SENDING
    if state is LINGERING:
        return state
    part = connection.receiver.part
    if state is RUNNING or state is SENDING:
        if not connection.keep_alive:
            if connection.encrypted and not connection.tell_end():
                return SENDING
            return CLOSED if connection.client_ends and not connection.receiver.pending else LINGERING
        if connection.receiver.pending:
            return READY
        if part == "nothing":
            return LINGERING if draining and not connection.has_come() else IDLE
    if part == "nothing":
        return IDLE if state is READY else state
    return HEAD if part == "head" else BODY


def enter(connection: Connection, state: State, now: float) -> None:
    """The leader: sets the state of a connection, and the deadline that goes with a new one."""
    if state is connection.state:
        return
    connection.state = state
    timing = connection.timing
    if state is IDLE:
        connection.deadline = now + timing.idle_timeout
    elif state is HEAD:
        connection.deadline = now + timing.head_timeout
    elif state is BODY:
        connection.deadline = timing.begin(now)
    elif state is SENDING:
        connection.deadline = timing.progress(timing.begin(now), connection.taken, now)
    elif state is LINGERING:
        # Half-closed, read to the end, closed: else the client's kernel may drop what it has not yet read.
        connection.deadline = now + LINGER
        connection.end_sending()
    else:
        connection.deadline = inf


def count(connections: Iterable[Connection]) -> dict[str, int]:
    """Any thread: how many connections are "open", and how many of these in which state; a snapshot."""
    counts = dict.fromkeys(("open", "idle", "head", "body", "running", "sending", "lingering"), 0)
    for connection in connections:
        state = connection.state
        if state is not CLOSED:
            counts["open"] += 1
            counts["running" if connection.detached or state is READY else state.value] += 1
    return counts
