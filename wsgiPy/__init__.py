"""The applications of the demonstration site; its files are in html/ beside this folder.

``demo`` is the complete application, ``clock`` one of ten lines. ``pages`` writes HTML, ``multipart`` reads uploads.
"""
