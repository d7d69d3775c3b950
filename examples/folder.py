"""Step 2 of docs/tutorial.md: a server for the files of a folder, which answers 404 for everything else.

    python -m examples.folder --port 8888

The same without any code:  python -m tpserver --root html
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tpserver import serve

HTML = Path(__file__).resolve().parent.parent / "html"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve the files of a folder.")
    parser.add_argument("root", nargs="?", default=str(HTML), help="folder to serve (default: html/ of this project)")
    parser.add_argument(
        "--port", type=int, default=8888, help="port to listen on; 0: any free port (default: %(default)s)"
    )
    arguments = parser.parse_args()
    serve(root=arguments.root, port=arguments.port)
