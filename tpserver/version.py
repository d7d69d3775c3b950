"""The version, and the value of the Server field."""

__version__ = "0.1.0"
SOFTWARE = f"tpserver/{__version__}"
