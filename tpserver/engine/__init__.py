"""The engine moves bytes and chooses threads. It knows no HTTP: protocol.py says what it asks of one."""
