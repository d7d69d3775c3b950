"""python -m tpserver"""

import sys

from tpserver.cli import command

if __name__ == "__main__":
    sys.exit(command())
