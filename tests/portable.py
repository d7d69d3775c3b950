"""Hides what Windows and macOS lack, so that the ways around it are tested on any system."""

from __future__ import annotations

import os
import select
import selectors
import shutil
import signal
import socket

_HIDDEN = {
    os: ("fork", "forkpty", "sendfile", "memfd_create", "pread", "preadv", "O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW"),
    select: ("epoll", "poll", "kqueue", "devpoll"),
    selectors: ("EpollSelector", "PollSelector", "KqueueSelector", "DevpollSelector"),
    socket: ("AF_UNIX", "MSG_MORE", "MSG_DONTWAIT", "SO_REUSEPORT", "send_fds", "recv_fds"),
    signal: ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT"),
}


def _loopback_pair(*_: object) -> tuple[socket.socket, socket.socket]:
    """What `socket.socketpair` is where there are no unix sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        one = socket.create_connection(listening.getsockname())
        other, _ = listening.accept()
    return one, other


_accept = socket.socket.accept


def _accept_as_bsd(listening: socket.socket) -> tuple[socket.socket, object]:
    """What `accept` is on macOS and Windows: a socket that does not block if the listening one does not."""
    accepted, address = _accept(listening)
    os.set_blocking(accepted.fileno(), os.get_blocking(listening.fileno()))
    return accepted, address


def hide() -> None:
    """Before tpserver is imported. For the rest of the process."""
    for module, names in _HIDDEN.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
            if name in getattr(module, "__all__", ()):  # libraries go through it
                module.__all__.remove(name)
    socket.socketpair = _loopback_pair  # type: ignore[assignment]
    if os.name == "posix":
        socket.socket.accept = _accept_as_bsd  # type: ignore[assignment, method-assign]
    shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined] # it has looked before
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    # Chosen when `selectors` was imported, which pytest has done long ago.
    selectors.DefaultSelector = selectors.SelectSelector  # type: ignore[misc, assignment]
