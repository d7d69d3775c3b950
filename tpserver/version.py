"""The version, and the name under which the server speaks of itself."""

__version__ = "0.1.0"
SOFTWARE = f"tpserver/{__version__}"
