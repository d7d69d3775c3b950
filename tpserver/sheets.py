"""Whole responses that are ready. Some lie in memory as a file does: the system sends these without copying them.

From some 8 KiB on that is a sixth less work than `send` (measured: 107 000 instead of 90 000 responses of 10 KiB in a
second); below, the copy is cheaper. A sheet lives for the second that the response is dated with.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any, Final

from tpserver.http.head import Head
from tpserver.system.descriptors import identity

# Bytes of a response: shorter ones are sent as well, and longer ones cost so much that the copy matters little.
SHORTEST: Final = 8 * 1024
LONGEST: Final = 160 * 1024
# A response that is looked for less often in its second, by the leader's turns and by heads, is not worth a sheet.
OFTEN: Final = 8
# Sheets at once, each with a descriptor; and responses that are counted, which stay in memory for that second.
SHEETS: Final = 16
COUNTED: Final = 64

# Not everywhere; and where there is the second, the first can read what it makes.
_sendfile: Any = getattr(os, "sendfile", None)
_memfd_create: Any = getattr(os, "memfd_create", None)


class Sheet:
    """`data` in a file without a name (memfd_create(2)), which nobody changes. Raises OSError where none can be had.

    `guarded`: others, an application, run in this process, and may close descriptors that are not theirs.
    """

    __slots__ = ("_file", "_guarded", "_identity", "data")

    def __init__(self, data: bytes, guarded: bool = True) -> None:
        self.data = data
        self._guarded = guarded
        self._file = -1
        self._file = _memfd_create("tpserver")
        self._identity = identity(self._file)
        if os.write(self._file, data) != len(data):
            raise OSError("too little room")

    def send(self, sock: socket.socket, data: bytes) -> int:
        """As `sock.send(data)`, with its errors; `data` is the sheet's. Not for a socket that encrypts. Any thread.

        An application that closes descriptors of others, and opens files, at the very moment between the look and the
        call could still put a file of its own in this place, as in that of any file which is being sent.
        """
        if not self._guarded or self.holds():
            try:
                sent: int = _sendfile(sock.fileno(), self._file, 0, len(data))
            except BlockingIOError:
                raise
            except OSError:  # the socket's fault comes again; one of the sheet's does not matter
                pass
            else:
                return sent
        return sock.send(data)

    def holds(self) -> bool:
        """Whether the descriptor is still ours: an application may have closed it, and another file have its number."""
        if identity(self._file) == self._identity:
            return True
        self._file = -1
        return False

    def __del__(self) -> None:
        if self._file >= 0 and self.holds():
            os.close(self._file)


class Answer:
    """A whole answer to `head` that is ready before its request has become one: a small file.

    `length` is its content's, in bytes. `sheet` holds the same bytes, where sending that is quicker.
    """

    __slots__ = ("data", "head", "length", "sheet")
    kind: Final = "answer"

    def __init__(self, head: Head, data: bytes, length: int, sheet: Sheet | None) -> None:
        self.head = head
        self.data = data
        self.length = length
        self.sheet = sheet


class Sheets:
    """Those of one server. The leader calls, and one that was relieved may still be at it: what both do is harmless.

    `guarded` may be set to False where nothing but the server runs in this process. It spares a look at the descriptor
    before each response, which costs a seventh (measured: 72 000 instead of 82 000 responses of 10 KiB in a second).
    """

    def __init__(self) -> None:
        self.guarded = True
        self._possible = _sendfile is not None and _memfd_create is not None
        self._sheets: dict[bytes, Sheet] = {}
        self._counted: dict[bytes, int] = {}

    def begin_second(self) -> None:
        """Other responses are sent from now on, for they are dated."""
        self._sheets.clear()
        self._counted.clear()

    def find(self, data: bytes) -> Sheet | None:
        """The sheet of `data`, where it is worth one. Once in each turn for each head that asks for it."""
        if not self._possible or not SHORTEST <= len(data) <= LONGEST:
            return None
        sheet = self._sheets.get(data)
        if sheet is not None:
            if sheet.holds():
                return sheet
            self._sheets.pop(data, None)
        times = self._counted.get(data, 0) + 1
        if times > 1 or len(self._counted) < COUNTED:
            self._counted[data] = times
        if times < OFTEN or len(self._sheets) >= SHEETS:
            return None
        return self._make(data)

    def _make(self, data: bytes) -> Sheet | None:
        try:
            sheet = self._sheets[data] = Sheet(data, self.guarded)
        except OSError:  # no descriptor, no memory, or the system forbids it: not again in this second
            self._counted[data] = -sys.maxsize
            return None
        return sheet
