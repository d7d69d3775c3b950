"""Hides what Windows lacks, so that the ways around it are tested on any system."""

from __future__ import annotations

import os
import select
import selectors
import signal
import socket

_HIDDEN = {
    os: ("fork", "forkpty", "sendfile", "pread", "preadv", "O_NONBLOCK", "O_CLOEXEC"),
    select: ("epoll", "poll", "kqueue", "devpoll"),
    selectors: ("EpollSelector", "PollSelector", "KqueueSelector", "DevpollSelector"),
    socket: ("AF_UNIX", "MSG_MORE", "MSG_DONTWAIT", "SO_REUSEPORT", "send_fds", "recv_fds"),
    signal: ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT"),
}


def hide() -> None:
    """Before tpserver is imported. For the rest of the process."""
    for module, names in _HIDDEN.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    # Chosen when `selectors` was imported, which pytest has done long ago.
    selectors.DefaultSelector = selectors.SelectSelector  # type: ignore[misc, assignment]
