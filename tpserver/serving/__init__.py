"""A process that exists to serve, or a parent and several: signals, logs, what is said, and how it ends."""
