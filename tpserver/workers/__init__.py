"""Several processes that serve the same sockets: a parent that supervises, children that serve. Knows no HTTP."""
