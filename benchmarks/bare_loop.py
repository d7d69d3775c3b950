"""A loop without an engine: tpserver's parser and checks of heads, one thread, one epoll. It has no limits of its own.

What tpserver costs beside it is the price of everything else: threads, time-outs, bodies, logs. GET only, and one
request at a time on each connection, as wrk sends them without a script that pipelines.
"""

from __future__ import annotations

import select
import socket
from email.utils import formatdate
from typing import Any

from tpserver.http.head import take_head
from tpserver.http.response import application_head, response_memory
from tpserver.http.section import FieldSection, Limits, SectionMemory

from .client import HOST


class Loop:
    def __init__(self, application: Any, port: int) -> None:
        self._application = application
        self._listener = socket.create_server((HOST, port), backlog=1024)
        self._epoll = select.epoll()
        self._connections: dict[int, socket.socket] = {}
        self._limits = Limits()
        self._sections = SectionMemory()
        self._last: dict[socket.socket, FieldSection] = {}
        self._heads = response_memory()
        self._stamp = b"Date: %b\r\nServer: bare\r\n" % formatdate(usegmt=True).encode("ascii")

    def run(self) -> None:
        listening = self._listener.fileno()
        self._epoll.register(listening, select.EPOLLIN)
        while True:
            for descriptor, _ in self._epoll.poll():
                if descriptor == listening:
                    client, _ = self._listener.accept()
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._connections[client.fileno()] = client
                    self._epoll.register(client.fileno(), select.EPOLLIN)
                else:
                    self._serve(self._connections[descriptor])

    def _serve(self, client: socket.socket) -> None:
        try:
            data = client.recv(65536)
            if data:
                client.sendall(self._answer(client, data))
                return
        except ConnectionError:
            pass
        del self._connections[client.fileno()]
        self._last.pop(client, None)
        client.close()  # which takes it from the epoll, too

    def _answer(self, client: socket.socket, data: bytes) -> bytes:
        found = take_head(data, 0, self._limits, self._sections, self._last.get(client))
        assert found is not None
        head, _ = found
        self._last[client] = head.section
        environ = {
            **head.fields,
            "REQUEST_METHOD": head.method,
            "PATH_INFO": head.path,
            "QUERY_STRING": head.query,
            "SERVER_PROTOCOL": head.protocol,
        }
        if head.cookie is not None:
            environ["HTTP_COOKIE"] = head.cookie
        told: list[Any] = []
        content = b"".join(self._application(environ, lambda *arguments: told.extend(arguments)))
        return application_head(told[0], told[1], self._heads).complete(self._stamp) + content


def run(application: Any, port: int) -> None:
    """Serves until the process ends."""
    Loop(application, port).run()
