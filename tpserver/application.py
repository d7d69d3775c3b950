"""The application by its name, as "package.module:name" or "file.py:create_app()" -> the callable (PEP 3333)."""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
import traceback
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple, cast

from tpserver.errors import StartError, UsageError
from tpserver.logs.log import kept_loggers
from tpserver.system.monkey_patches import patched
from tpserver.wsgi.responder import Application

# The names of an application in a module that is named alone, in this order.
_USUAL: Final = ("app", "application")
_FACTORIES: Final = ("create_app", "make_app", "create_application", "get_app", "get_wsgi_application", "build_app")
_FACTORY_NAME: Final = r"(create|make|get|build)_|.*_factory"
# A file of Python, which may have a drive before it, and what follows its colon.
_FILE: Final = r"(?s)(.+?\.py)(?::(.*))?"
# A call in a module, whose arguments may look like a file.
_CALL: Final = r"[\w.]+(?<!\.py):[\w.]+\s*\("
_MODULE: Final = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_COROUTINE: Final = 0x80  # inspect.CO_COROUTINE; that module is slow to import


class _Wanted(NamedTuple):
    """What is looked up in a module: a name with dots, and the literal arguments where it is to be called."""

    name: str
    call: tuple[list[object], dict[str, object]] | None = None


def check_application(application: object) -> None:
    """Raises `UsageError` for what cannot be called as an application, such as a function that makes one."""
    if application is None:
        return
    if not callable(application):
        raise UsageError(f"a WSGI application is a callable, not {application!r}")
    name = getattr(application, "__name__", type(application).__name__)
    if (problem := _unsuitable(application, name)) is not None:
        raise UsageError(problem)


def check_unpatched() -> None:
    """Raises `StartError` where a library has replaced sockets and threads."""
    if (problem := patched()) is not None:
        raise StartError(problem)


def load_application(name: str, app_dir: str) -> Application:
    """The application that `name` says, looked for in `app_dir` first. Raises `UsageError` and `StartError`.

    MODULE:NAME, MODULE:FACTORY(ARGUMENTS) with literals as arguments, and MODULE alone, which has `app` or
    `application`. MODULE may be a path of a file, `path/to/file.py`.
    """
    if not os.path.isdir(app_dir):
        raise UsageError(f"--app-dir {app_dir}: there is no such folder")
    file = _file_in(name)
    if file is not None:
        place, text = os.path.join(app_dir, file[1]), file[2]
        if not os.path.isfile(place):
            raise StartError(f"there is no file {os.path.abspath(place)}{_hint(_near_file(place, file[1]))}")
        app_dir, module_name = _module_of(place)
    else:
        place = ""
        module_name, colon, rest = name.partition(":")
        text = rest if colon else None
        _check_module_name(module_name, name, app_dir)
    wanted = None if text is None else _parse(text, name)
    if sys.path[:1] != [os.path.abspath(app_dir)]:
        sys.path.insert(0, os.path.abspath(app_dir))
    module = _import(module_name, app_dir, name)
    if place and not _is_from(module, place):
        raise StartError(
            f"cannot import {place}: a module {module_name} is loaded already"
            f" ({getattr(module, '__file__', None) or 'built in'}); rename the file"
        )
    found, shown = _find(module, wanted, file[1] if file is not None else module_name)
    if not callable(found):
        raise StartError(f"{shown} is a {type(found).__name__}; a WSGI application is a callable")
    if (problem := _unsuitable(found, shown)) is not None:
        raise StartError(problem)
    return cast(Application, found)


def application_folder(name: str, app_dir: str) -> str:
    """The folder that `load_application` imports an application from."""
    file = _file_in(name)
    return app_dir if file is None else _module_of(os.path.join(app_dir, file[1]))[0]


def _file_in(name: str) -> re.Match[str] | None:
    """The path of a file of Python in the name of an application, and its callable; None: it names a module."""
    return None if re.match(_CALL, name) is not None else re.fullmatch(_FILE, name)


def _check_module_name(module_name: str, name: str, app_dir: str) -> None:
    if re.fullmatch(_MODULE, module_name) is not None:
        return
    as_path = module_name.replace("\\", "/")  # as Windows takes it, too
    if os.path.isfile(os.path.join(app_dir, as_path + ".py")):
        raise UsageError(
            f"--app {name}: {module_name} is no module{_hint(module_name + '.py' + name[len(module_name) :])}"
        )
    if not module_name or "/" not in as_path:
        raise UsageError(f"--app {name}: it takes MODULE:CALLABLE, such as wsgiPy.demo:app")
    if os.path.isfile(os.path.join(app_dir, as_path)):
        raise UsageError(f"--app {name}: {module_name} is no file of Python; to serve files name their folder")
    raise UsageError(f"--app {name}: there is no such folder, and it has not the form MODULE:CALLABLE")


def _parse(text: str, name: str) -> _Wanted:
    """ "name", "a.name" or "name(1, key='x')" -> what it says. Raises `UsageError`."""
    if re.fullmatch(_MODULE, text) is not None:
        return _Wanted(text)
    import ast

    takes = "it takes MODULE:CALLABLE; CALLABLE is a name or a call with literal arguments, as create_app('test', n=1)"
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise UsageError(f"--app {name}: {takes}") from None
    if not isinstance(node, ast.Call) or re.fullmatch(_MODULE, called := ast.unparse(node.func)) is None:
        raise UsageError(f"--app {name}: {takes}")
    try:
        arguments = [ast.literal_eval(argument) for argument in node.args]
        keywords = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise UsageError(f"--app {name}: the arguments must be literals, such as 1, 'text', None, [1, 2]") from None
    if len(keywords) < len(node.keywords):
        raise UsageError(f"--app {name}: the arguments must be literals; ** is none")
    return _Wanted(called, (arguments, keywords))


def _find(module: ModuleType, wanted: _Wanted | None, module_name: str) -> tuple[Any, str]:
    """What a module has by this name, called where it is to be, and how it is shown. Raises `StartError`."""
    if wanted is None:
        usual = next((name for name in _USUAL if hasattr(module, name)), None)
        if usual is None:
            hint = _hint(_similar(module, "", module_name) or _inside(module))
            raise StartError(f"{module_name} has neither app nor application{hint}")
        wanted = _Wanted(usual)
    shown = f"{module_name}:{wanted.name}"
    found: Any = module
    for part in wanted.name.split("."):
        if not hasattr(found, part):
            hint = _hint(_similar(module, wanted.name, module_name))
            raise StartError(f"cannot find {part} in {shown}: {module_name} has no such name{hint}")
        found = getattr(found, part)
    if wanted.call is None:
        return found, shown
    if not callable(found):
        raise StartError(f"{shown} is a {type(found).__name__}, which cannot be called{_hint(shown)}")
    arguments, keywords = wanted.call
    try:
        with kept_loggers():
            made = found(*arguments, **keywords)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise StartError(f"{shown}() failed: {_line(error)}", _traceback(error)) from error
    check_unpatched()
    return made, f"the result of {shown}()"


def _import(module_name: str, app_dir: str, name: str) -> ModuleType:
    try:
        with kept_loggers():
            module = importlib.import_module(module_name)
    except BaseException as error:
        raise _import_failed(module_name, app_dir, error, name) from error
    check_unpatched()
    return module


def _import_failed(module_name: str, app_dir: str, error: BaseException, name: str) -> StartError:
    if isinstance(error, KeyboardInterrupt):
        raise error
    if isinstance(error, ModuleNotFoundError) and error.name and (module_name + ".").startswith(error.name + "."):
        hint = _hint(_near_module(module_name, app_dir, name))
        where = os.path.abspath(app_dir)
        return StartError(f"cannot import {module_name}: there is no module {error.name} in {where}{hint}")
    return StartError(f"cannot import {module_name}: {_line(error)}", _traceback(error))


def _line(error: BaseException) -> str:
    """An exception in one line, as at the end of a traceback; a SyntaxError with its file."""
    return ": ".join(filter(None, (type(error).__name__, str(error).strip().partition("\n")[0])))


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _module_of(place: str) -> tuple[str, str]:
    """The path of a file of Python -> the folder to import it from, and its name there; packages count."""
    folder, name = os.path.split(os.path.realpath(place).removesuffix(".py"))
    names = [] if name == "__init__" else [name]
    while os.path.isfile(os.path.join(folder, "__init__.py")) and os.path.dirname(folder) != folder:
        folder, package = os.path.split(folder)
        names.insert(0, package)
    return folder, ".".join(names)


def _is_from(module: ModuleType, place: str) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and os.path.realpath(file) == os.path.realpath(place)


# -- What is called with two arguments


def _unsuitable(found: object, name: str) -> str | None:
    """Why a callable is no application; None where it is one, or cannot be told."""
    function, given, named = found, 0, 0
    if isinstance(found, functools.partial):
        function, given, named = found.func, len(found.args), len(found.keywords)
    elif isinstance(found, type):
        if type(found) is not type or "__new__" in {name for one in found.__mro__[:-1] for name in vars(one)}:
            return None
        function = getattr(found, "__init__")  # noqa: B009 - of the class, which calls it
        if function == getattr(object, "__init__"):  # noqa: B009
            return f"{name} is a class without arguments, not an application{_hint(name + '()')}"
    elif not isinstance(found, (FunctionType, MethodType)):
        function = getattr(found, "__call__")  # noqa: B004, B009 - as it is bound
    bound = int(isinstance(function, MethodType) or isinstance(found, type))
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        return None
    code = function.__code__
    if code.co_flags & _COROUTINE:
        return f"{name} is asynchronous (ASGI); tpserver serves WSGI applications, which a2wsgi can make of it"
    most: float = max(0, code.co_argcount - bound - given)
    least = max(0, most - len(function.__defaults__ or ()))
    least = max(0, least + code.co_kwonlyargcount - len(function.__kwdefaults__ or ()) - named)
    if code.co_flags & 0x04:  # inspect.CO_VARARGS
        most = float("inf")
    last = name.rpartition(":")[2].rpartition(".")[2]
    # A decorator's function takes any arguments: then only a usual name, as it was typed, tells.
    makes = re.fullmatch(_FACTORY_NAME, last) if most < float("inf") else last in _FACTORIES and ":" in name
    if (least == 0 and makes) or (least == 0 and most < 2):
        return f"{name} takes no arguments, so it may make an application, but is none{_hint(name + '()')}"
    if not least <= 2 <= most:
        return f"{name} takes {least:g} arguments; a WSGI application takes two (environ, start_response)"
    return None


# -- What was probably meant


def _hint(meant: str | None) -> str:
    return f"; did you mean {meant}?" if meant else ""


def _similar(module: ModuleType, name: str, module_name: str) -> str | None:
    """The name in a module that is most like `name`, or else usual."""
    import difflib

    callables = [one for one, value in vars(module).items() if callable(value) and not one.startswith("_")]
    made_here = [one for one in callables if getattr(getattr(module, one), "__module__", None) == module.__name__]
    near = difflib.get_close_matches(name, callables, 1, 0.75) if name else []
    for one in [*near, *_USUAL, *_FACTORIES, *(made_here if len(made_here) == 1 else ())]:
        if one in callables:
            value = getattr(module, one)
            fits = _unsuitable(value, one) is None
            makes = not fits and (_unsuitable(value, one) or "").endswith("()?")
            if fits or makes:
                return f"{module_name}:{one}" + ("()" if makes else "")
    return None


def _inside(module: ModuleType) -> str | None:
    """The module of a package that usually has the application, as Django's wsgi.py."""
    for folder in getattr(module, "__path__", ()):
        for name in ("wsgi", "app", "main", "application"):
            if os.path.isfile(os.path.join(folder, name + ".py")):
                return f"{module.__name__}.{name}"
    return None


def _near_module(module_name: str, app_dir: str, name: str) -> str | None:
    """What may have been meant by a module that there is not."""
    import difflib

    path = os.path.join(*module_name.split("."))
    parent, dot, last = module_name.rpartition(".")
    if dot and ":" not in name and os.path.isfile(os.path.join(app_dir, *parent.split(".")) + ".py"):
        return f"{parent}:{last}"
    for folder in sorted(entry.path for entry in os.scandir(app_dir) if entry.is_dir() and entry.name[:1] != "."):
        if os.path.isfile(os.path.join(folder, path + ".py")) or os.path.isfile(
            os.path.join(folder, path, "__init__.py")
        ):
            return f"--app-dir {os.path.relpath(folder)}"
    here = [
        entry.name.removesuffix(".py") for entry in os.scandir(app_dir) if entry.is_dir() or entry.name.endswith(".py")
    ]
    near = difflib.get_close_matches(module_name.partition(".")[0], here, 1)
    return (
        near[0] + name[len(module_name.partition(".")[0]) :]
        if near and near[0] != module_name.partition(".")[0]
        else None
    )


def _near_file(place: str, written: str) -> str | None:
    """What may have been meant by a file that there is not, as it would be written."""
    import difflib

    folder, name = os.path.split(os.path.abspath(place))
    with_py = [one for one in os.listdir(folder) if one.endswith(".py")] if os.path.isdir(folder) else []
    near = difflib.get_close_matches(name, with_py, 1)
    return os.path.join(os.path.dirname(written), near[0]) if near else None
