"""Programs that people point at a server of files: what they expect of it."""
