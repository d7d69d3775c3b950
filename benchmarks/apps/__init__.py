"""The WSGI applications of the scenarios: every server gets exactly these.

    plain.py         a function for each: 13 bytes, waiting, computing, hanging
    work.py          a fixed amount of computing, the same for all servers of a session
    flask_site.py    Flask: a page that is instant, and one that waits
    django_site.py   Django: a page with a template

A module for each framework, so that a server imports only what it serves.
"""
