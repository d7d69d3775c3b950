"""`recv` and `send` that keep the interpreter's lock, for when other threads want it.

A method of `socket` lets the lock go around its system call. That is right for a call that may block, but ours
never do; and a thread that computes takes the lock at each such call and keeps it for a switch interval.
Measured: two computing requests left 3 000 quick ones a second so, and 8 000 like this. ctypes calls the same
functions of the C library without letting go; it costs about a microsecond more, so it is for that case only.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from tpserver.system.interpreter import has_lock

# Bytes received in one go.
RECEIVE: Final = 64 * 1024

# Signatures of what is here: for a non-blocking socket. Raises OSError, BlockingIOError among them. Any thread.
Receive = Callable[[socket.socket], bytes]
Send = Callable[[socket.socket, bytes], int]

# The interpreter stands still during the call, so that it must not block: not even on a descriptor that other code has
# closed, and that leads to a blocking socket by now.
_DONT_WAIT: Final = getattr(socket, "MSG_DONTWAIT", 0)
_SEND_FLAGS: Final = _DONT_WAIT | getattr(socket, "MSG_NOSIGNAL", 0)


def _holding_calls() -> tuple[Receive, Send] | tuple[None, None]:
    """None where they cannot be had (Windows), or would be no better (Python without that lock)."""
    if os.name == "nt" or sys.implementation.name != "cpython" or not has_lock():
        return None, None
    try:
        import ctypes

        library: Any = ctypes.PyDLL(None, use_errno=True)
        c_recv, c_send = library.recv, library.send
    except (ImportError, OSError, AttributeError):
        return None, None
    c_recv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    c_send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
    c_recv.restype = c_send.restype = ctypes.c_ssize_t
    spare: list[tuple[Any, memoryview]] = []  # buffers that no call is using

    def error() -> OSError:
        number = ctypes.get_errno()
        return OSError(number, os.strerror(number))  # which makes a BlockingIOError of EAGAIN

    def c_receive(sock: socket.socket) -> bytes:
        try:
            buffer, view = spare.pop()
        except IndexError:
            buffer = ctypes.create_string_buffer(RECEIVE)
            view = memoryview(buffer)
        count: int = c_recv(sock.fileno(), buffer, RECEIVE, _DONT_WAIT)
        data = view[:count].tobytes() if count > 0 else b""
        spare.append((buffer, view))
        if count < 0:
            raise error()
        return data

    def c_sending(sock: socket.socket, data: bytes) -> int:
        count: int = c_send(sock.fileno(), data, len(data), _SEND_FLAGS)
        if count < 0:
            raise error()
        return count

    return c_receive, c_sending


receive_holding, send_holding = _holding_calls()
