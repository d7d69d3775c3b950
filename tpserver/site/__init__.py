"""Which responder answers a request: folder, application or the server itself, for each virtual host."""
