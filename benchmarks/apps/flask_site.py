"""A Flask application: / is instant, /slow waits 2 s."""

from __future__ import annotations

import time

from flask import Flask

SLOW_SECONDS = 2.0

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "Hello, world!"


@app.get("/slow")
def slow() -> str:
    time.sleep(SLOW_SECONDS)
    return "Hello, world!"
