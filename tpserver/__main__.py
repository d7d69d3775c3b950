"""python -m tpserver, or python path/to/tpserver"""

import os
import sys

if not __package__:
    # Started by its path: the package is found by that, and its modules do not hide those of the standard library.
    sys.path[0:1] = []
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tpserver.cli import command

if __name__ == "__main__":
    sys.exit(command())
