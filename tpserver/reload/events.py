"""The event stream that browsers listen on: it has them load their page, or their style sheets, again.

It has a port of its own, in the parent: no request of the application waits for it, and no process that is replaced
cuts it off. It says only that something has changed, and only to this machine.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

from tpserver.logs.log import Log

_log = Log("tpserver")

# Browsers that listen at once; one more takes the place of the first.
_MOST: Final = 50
# Any page may listen: the origin is the same machine with another port, and there is nothing to be learned.
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\nretry: 500\n\n"
)


class EventStream:
    """Of one parent. `port` is that of 127.0.0.1. Any thread may call."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()  # guards the clients, and what is sent to them: in one order
        self._clients: list[socket.socket] = []
        self._closed = False
        self._process = -1  # the number of the one that serves
        threading.Thread(target=self._accept, name="tpserver-events", daemon=True).start()

    def serves(self, number: int) -> None:
        """Another process serves: pages that are not its own are loaded again."""
        with self._lock:
            self._process = number
            self._send(b"data: %d\n\n" % number)

    def tell(self, event: str) -> None:
        """ "reload": all pages are loaded again. "css": their style sheets are."""
        with self._lock:
            self._send(b"event: %s\ndata:\n\n" % event.encode("ascii"))

    def close(self) -> None:
        """Ends it for all who listen."""
        self._closed = True
        with contextlib.suppress(OSError):  # not every system can, and not every one has to
            self._listening.shutdown(socket.SHUT_RD)
        self._listening.close()
        with self._lock:
            for client in self._clients:
                client.close()

    def _send(self, data: bytes) -> None:
        for client in self._clients.copy():
            try:
                client.sendall(data)
            except OSError:  # it has left, or does not read
                self._clients.remove(client)
                client.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                if not self._closed:
                    _log.exception("browsers are not told of changes any more")
                return
            with contextlib.suppress(OSError):
                client.settimeout(1.0)
                client.recv(16 * 1024)  # the request, whatever it says
                with self._lock:
                    client.sendall(_HEAD + (b"data: %d\n\n" % self._process if self._process >= 0 else b""))
                    self._clients.append(client)
                    if len(self._clients) > _MOST:
                        self._clients.pop(0).close()


# `process`: the number of the one that has made the page.
_SCRIPT: Final = """
<script>(function(){
if(window.tpserverReload)return;window.tpserverReload=1;
var s=new EventSource("http://127.0.0.1:%(port)d/");
s.onmessage=function(e){if(e.data!="%(process)d")location.reload()};
s.addEventListener("reload",function(){location.reload()});
s.addEventListener("css",function(){document.querySelectorAll('link[rel~="stylesheet"]').forEach(function(l){
var u=new URL(l.href);if(u.origin==location.origin){u.searchParams.set("tpserver-reload",Date.now());l.href=u.href}})});
})()</script>
"""


def page_end(port: int, process: int) -> bytes:
    """What is put behind a page of HTML for it to be loaded again: it listens on the stream at `port`."""
    return (_SCRIPT % {"port": port, "process": process}).encode("ascii")
