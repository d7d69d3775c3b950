"""How people name their application, and what they are told where it was not what they meant."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.console import failing, tpserver
from tpserver.application import check_application, load_application
from tpserver.errors import StartError, UsageError

APP = """
def _app(text):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [text.encode()]
    return app
"""
FILES = {
    "usual.py": APP + "app = _app('app')\napplication = _app('application')\n",
    "second.py": APP + "application = _app('application')\n",
    "making.py": APP + "def create_app(name='made', *, k=0, more=()):\n    return _app(f'{name} {k} {more}')\n",
    "wrong.py": "import json\ndef create_app():\n    return None\ndef failing():\n    1 / 0\n"
    "async def asgi(scope, receive, send):\n    pass\ndef three(a, b, c):\n    pass\nvalue = 5\n"
    "class Site:\n    def __call__(self, environ, start_response):\n        pass\n"
    "class Starlette:\n    async def __call__(self, scope, receive, send):\n        pass\nstar = Starlette()\n"
    "def web(environ, start_response):\n    pass\n",
    "parts.py": APP + "from functools import partial, wraps\nmade = partial(_app, 'part')\n"
    "def _with(text, environ, start_response):\n    return _app(text)(environ, start_response)\n"
    "app = partial(_with, 'bound')\n"
    "def _decorated(function):\n    @wraps(function)\n    def call(*args, **keywords):\n"
    "        return function(*args, **keywords)\n    return call\n"
    "@_decorated\ndef create_app():\n    return _app('decorated')\n"
    "@_decorated\ndef make_page(environ, start_response):\n    return _app('page')(environ, start_response)\n",
    "my-site.py": APP + "app = _app('dashed')\n",
    "down/below.py": APP + "app = _app('below')\n",
    "pack/__init__.py": "",
    "pack/inner.py": APP + "from pack import other\napp = _app(other.TEXT)\n",
    "django_site/__init__.py": "",
    "django_site/wsgi.py": APP + "application = _app('django')\n",
    "pack/other.py": "TEXT = 'in a package'\n",
    "json.py": APP + "app = _app('hidden')\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with applications; what is imported from it is forgotten."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = {*sys.modules}
    yield tmp_path  # type: ignore[misc]
    for name in {*sys.modules} - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("usual", "app"),
        ("usual:application", "application"),
        ("second", "application"),
        ("making:create_app()", "made 0 ()"),
        ("making:create_app( 'x' )", "x 0 ()"),
        ('making:create_app("x", k=-1, more=[1, {"a": None}])', "x -1 [1, {'a': None}]"),
        ('making:create_app("a.py:b")', "a.py:b 0 ()"),
        ('making:create_app("settings.py")', "settings.py 0 ()"),
        ("parts", "bound"),
        ("parts:made()", "part"),
        ("parts:create_app()", "decorated"),
        ("parts:make_page", "page"),
        ("usual.py", "app"),
        ("usual.py:application", "application"),
        ("./usual.py:app", "app"),
        ('making.py:create_app("a.py:b")', "a.py:b 0 ()"),
        ("my-site.py:app", "dashed"),
        ("down/below.py:app", "below"),
        ("down/below.py", "below"),
        ("pack/inner.py:app", "in a package"),
        ("pack.inner", "in a package"),
        ("django_site.wsgi", "django"),
    ],
)
def test_an_application_is_found_by_the_names_that_other_servers_take(project: Path, name: str, text: str) -> None:
    application = load_application(name, ".")
    assert list(application({}, lambda status, headers: lambda data: None)) == [text.encode()]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("django_site", "django_site has neither app nor application; did you mean django_site.wsgi?"),
        ("parts:made", "did you mean parts:made()?"),
        ("parts:create_app", "did you mean parts:create_app()?"),
        ("usual:ap", "cannot find ap in usual:ap: usual has no such name; did you mean usual:app?"),
        ("second:app", "second has no such name; did you mean second:application?"),
        ("making", "making has neither app nor application; did you mean making:create_app()?"),
        ("making:app", "did you mean making:create_app()?"),
        (
            "making:create_app",
            "making:create_app takes no arguments, so it may make an application, but is none; did you",
        ),
        ("making:create_app", "did you mean making:create_app()?"),
        ("making:create_app(3, 4)", "making:create_app() failed: TypeError: "),
        ("making:create_app(name)", "the arguments must be literals"),
        ("making:create_app(**{})", "the arguments must be literals"),
        ("making:create_app(", "--app making:create_app(: it takes MODULE:CALLABLE"),
        ("making:[1]", "it takes MODULE:CALLABLE"),
        ("wrong:create_app()", "the result of wrong:create_app() is a NoneType; a WSGI application is a callable"),
        ("wrong:failing()", "wrong:failing() failed: ZeroDivisionError: division by zero"),
        ("wrong:value()", "wrong:value is a int, which cannot be called"),
        ("wrong:asgi", "wrong:asgi is asynchronous (ASGI)"),
        ("wrong:star", "wrong:star is asynchronous (ASGI)"),
        ("wrong:three", "wrong:three takes 3 arguments; a WSGI application takes two"),
        ("wrong:Site", "wrong:Site is a class without arguments, not an application; did you mean wrong:Site()?"),
        ("below:app", "there is no module below in"),
        ("below:app", "did you mean --app-dir down?"),
        ("usal:app", "did you mean usual:app?"),
        ("usual.app", "did you mean usual:app?"),
        ("down/below:app", "did you mean down/below.py:app?"),
        ("usal.py:app", "usual.py?"),
        ("missing.py", "there is no file "),
        ("json.py:app", "a module json is loaded already"),
        ("no/where", "there is no such folder, and it has not the form MODULE:CALLABLE"),
    ],
)
def test_what_was_probably_meant_is_said(project: Path, name: str, error: str) -> None:
    with pytest.raises((StartError, UsageError), match=re.escape(error)):
        load_application(name, ".")


def test_a_factory_is_told_at_the_start_and_served_when_called(project: Path) -> None:
    ended = failing("--port", "0", "making:create_app", cwd=project)
    assert (ended.status, ended.stdout) == (1, "")
    assert "did you mean making:create_app()?" in ended.stderr
    with tpserver("making:create_app('x', k=1)", cwd=project) as console:
        assert console.get("/") == "x 1 ()"
    with tpserver("--vhost", "127.0.0.1=making.py:create_app('host')", cwd=project) as console:
        assert console.get("/") == "host 0 ()"


def _any(*arguments: object, **keywords: object) -> list[bytes]:
    return []


def _two(environ: object, start_response: object = None) -> list[bytes]:
    return []


class _ByClass:
    def __init__(self, environ: object, start_response: object) -> None: ...


class _Instance:
    def __call__(self, environ: object, start_response: object) -> list[bytes]:
        return []

    def method(self, environ: object, start_response: object) -> list[bytes]:
        return []


@pytest.mark.parametrize("application", [_any, _two, _ByClass, _Instance(), _Instance().method, max, lambda e, s: []])
def test_callables_of_every_kind_are_applications(application: object) -> None:
    check_application(application)


@pytest.mark.parametrize("maker", [lambda: None, lambda config=None: None, _Instance, lambda environ: None])
def test_a_callable_that_cannot_be_an_application_is_refused_in_code_too(maker: object) -> None:
    with pytest.raises(UsageError):
        check_application(maker)
