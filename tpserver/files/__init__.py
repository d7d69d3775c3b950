"""Serves a folder of files: path to file, representations, rules for fields and media types, listings, responders."""
