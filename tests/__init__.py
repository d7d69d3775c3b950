"""The tests, laid out like tpserver/. Every helper is imported by its whole name: `from tests.client import Client`."""
