"""python -m tpserver"""

import sys

from tpserver.cli import main

if __name__ == "__main__":
    sys.exit(main())
