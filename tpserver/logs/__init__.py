"""The access log and the server's log. Threads of their own write them; logging never raises or waits."""
