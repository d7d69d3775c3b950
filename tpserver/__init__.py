"""tpserver: serves a folder of files and a WSGI application from one process; needs only the standard library.

from tpserver import serve
serve(app, root="html", port=8888)
"""

from tpserver.config import Config
from tpserver.run import Server, make_server
from tpserver.serving.serve import serve
from tpserver.version import __version__

__all__ = ["Config", "Server", "__version__", "make_server", "serve"]
