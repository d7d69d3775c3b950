"""A stand-in for the service manager of Windows, around a process that is a service: it runs everywhere.

It prints each report of the service, and passes on the numbers of controls that it reads.
"""

import os
import sys
import threading

from tpserver import cli
from tpserver.service import process
from tpserver.service.states import Service, Status

REPORTS = os.dup(1)


def tell(text: str) -> None:
    os.write(REPORTS, text.encode() + b"\n")


def send(status: Status) -> None:
    tell(" ".join(str(int(value)) for value in status))


def dispatch(service: Service) -> None:
    def listen() -> None:
        for line in sys.stdin:
            tell(f"control {service.control(int(line))}")

    threading.Thread(target=listen, daemon=True).start()
    service.live(send)


if __name__ == "__main__":
    process.dispatch = dispatch
    sys.exit(cli.command())
