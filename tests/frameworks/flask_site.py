"""A site made with Flask: one page for each thing that Flask users do."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, make_response, redirect, request, send_file, session, url_for
from flask.typing import ResponseReturnValue

from tests.client import PATIENCE


class Site:
    """The Flask application as `app`, with what its pages share with a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.go_on = threading.Event()  # lets the second piece of /stream out
        self.together = threading.Barrier(2, timeout=PATIENCE)  # two requests meet here
        self.hooks: list[str] = []
        self.torn_down = threading.Event()
        self.app = Flask("flask_site", root_path=str(folder))
        self.app.secret_key = "for tests only"
        for name in dir(self):
            if name.startswith("add_"):
                getattr(self, name)(self.app)

    def add_pages(self, app: Flask) -> None:
        @app.get("/")
        def front() -> str:
            return "the front page"

        @app.route("/item/<int:number>/<path:rest>")
        def item(number: int, rest: str) -> dict[str, Any]:
            return {"number": number, "rest": rest}

        @app.get("/query")
        def query() -> Response:
            return jsonify(all=request.args.to_dict(flat=False), raw=request.query_string.decode("ascii"))

        @app.get("/old")
        def old() -> ResponseReturnValue:
            return redirect(url_for("item", number=5, rest="a b/ü", _external=True), 308)

        @app.route("/method", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        def method() -> str:
            return request.method

        @app.get("/client")
        def client() -> dict[str, Any]:
            return {"address": request.remote_addr, "host": request.host, "secure": request.is_secure}

    def add_content(self, app: Flask) -> None:
        @app.post("/json")
        def json() -> Response:
            return jsonify(received=request.get_json())

        @app.post("/form")
        def form() -> Response:
            return jsonify(request.form.to_dict(flat=False))

        @app.post("/upload")
        def upload() -> dict[str, Any]:
            file = request.files["file"]
            digest = hashlib.sha256()
            while block := file.stream.read(65536):
                digest.update(block)
            return {"name": file.filename, "type": file.content_type, "hash": digest.hexdigest(), **request.form}

        @app.put("/raw")
        def raw() -> dict[str, Any]:
            data = request.get_data()
            return {"length": request.content_length, "hash": hashlib.sha256(data).hexdigest()}

    def add_state(self, app: Flask) -> None:
        @app.get("/count")
        def count() -> str:
            session["count"] = session.get("count", 0) + 1
            return str(session["count"])

        @app.get("/cookies")
        def cookies() -> Response:
            response = make_response(jsonify(request.cookies))
            response.set_cookie("first", "1", httponly=True)
            response.set_cookie("second", "zwei; drei")
            return response

    def add_files(self, app: Flask) -> None:
        @app.get("/file/<name>")
        def file(name: str) -> Response:
            return send_file(self.folder / name, etag=True, conditional=request.args.get("conditional") == "yes")

        @app.get("/stream")
        def stream() -> Response:
            def pieces() -> Iterator[str]:
                yield "first "
                assert self.go_on.wait(PATIENCE)
                yield "second"

            return Response(pieces(), mimetype="text/plain")

        @app.get("/meet")
        def meet() -> str:
            self.together.wait()
            return threading.current_thread().name

    def add_errors(self, app: Flask) -> None:
        @app.get("/teapot")
        def teapot() -> ResponseReturnValue:
            abort(418)

        @app.get("/fault")
        def fault() -> str:
            raise LookupError("on purpose")

        @app.errorhandler(404)
        def not_found(error: Exception) -> tuple[str, int]:
            return f"nothing at {request.path}", 404

        @app.errorhandler(500)
        def failed(error: Exception) -> tuple[dict[str, str], int]:
            return {"error": repr(getattr(error, "original_exception", error))}, 500

    def add_hooks(self, app: Flask) -> None:
        @app.before_request
        def before() -> ResponseReturnValue | None:
            self.hooks.append("before")
            return ("not for you", 403) if request.path == "/forbidden" else None

        @app.after_request
        def after(response: Response) -> Response:
            self.hooks.append("after")
            response.headers["X-After"] = "yes"
            return response

        @app.teardown_request
        def teardown(error: BaseException | None) -> None:
            self.hooks.append("teardown")
            self.torn_down.set()
