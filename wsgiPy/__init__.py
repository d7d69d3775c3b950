"""The demonstration site's dynamic half; its files are in html/ beside this folder.

``demo`` is the whole application, ``clock`` one of ten lines. ``pages`` writes their HTML, ``multipart`` reads uploads.
"""
