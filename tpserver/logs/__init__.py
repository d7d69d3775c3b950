"""The access log and the server's log: written by threads of their own, and never raising."""
