"""The application by its name: "package.module:name" -> the callable (PEP 3333)."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any, cast

from tpserver.errors import StartError, UsageError
from tpserver.logs.log import kept_loggers
from tpserver.system.monkey_patches import patched
from tpserver.wsgi.responder import Application


def check_application(application: Any) -> None:
    """Raises `UsageError` for what is no callable."""
    if application is not None and not callable(application):
        raise UsageError(f"a WSGI application is a callable, not {application!r}")


def check_unpatched() -> None:
    """Raises `StartError` where a library has replaced sockets and threads."""
    if (problem := patched()) is not None:
        raise StartError(problem)


def load_application(name: str, app_dir: str) -> Application:
    """ "package.module:name" -> the callable, looked for in `app_dir` first. Raises `UsageError` and `StartError`."""
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise UsageError(f"--app {name}: it takes MODULE:CALLABLE, such as wsgiPy.demo:app")
    if not os.path.isdir(app_dir):
        raise UsageError(f"--app-dir {app_dir}: there is no such folder")
    if sys.path[:1] != [os.path.abspath(app_dir)]:
        sys.path.insert(0, os.path.abspath(app_dir))
    try:
        with kept_loggers():
            found: Any = importlib.import_module(module_name)
    except BaseException as error:
        raise _import_failed(module_name, app_dir, error) from error
    check_unpatched()
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise StartError(f"cannot find {part} in {name}: the module {module_name} has no such name")
        found = getattr(found, part)
    if not callable(found):
        raise StartError(f"{name} is a {type(found).__name__}; a WSGI application is a callable")
    return cast(Application, found)


def _import_failed(module_name: str, app_dir: str, error: BaseException) -> StartError:
    if isinstance(error, KeyboardInterrupt):
        raise error
    if isinstance(error, ModuleNotFoundError) and error.name and (module_name + ".").startswith(error.name + "."):
        return StartError(f"cannot import {module_name}: there is no module {error.name} in {os.path.abspath(app_dir)}")
    return StartError(f"cannot import {module_name}: {error!r}", "".join(traceback.format_exception(error)))
