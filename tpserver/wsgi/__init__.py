"""PEP 3333: one request of a WSGI application, its environ, its response and `wsgi.file_wrapper`."""
