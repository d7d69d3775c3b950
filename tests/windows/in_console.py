"""Runs Python with these arguments in a console that has no screen: without a console there is no Ctrl-C."""

import subprocess
import sys

if __name__ == "__main__":
    flags = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    command = [sys.executable, *sys.argv[1:]]
    # Named here, since a new console would come with streams of its own.
    sys.exit(subprocess.call(command, creationflags=flags, stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr))
