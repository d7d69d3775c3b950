"""Imports run one way, file by file; nothing but the standard library; short files that say what lives in them.

The graph of modules counts every import, wherever it is written: at the top of a file, inside of a function, and under
`TYPE_CHECKING`. `from tpserver.a import b` is an import of `tpserver.a.b` where that is a module, else of `tpserver.a`.
The tests have short files as well, and one name for each module.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tpserver"
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MOST_LINES = 330
MOST_LINES_OF_TESTS = 400
MOST_LINES_WITH_ANY = 40

# A room (a folder, or a file that is one by itself) -> the rooms that it may import.
MAY_IMPORT: Mapping[str, set[str]] = {
    "__init__": {"config", "run", "serving", "version"},
    "__main__": {"cli"},
    "application": {"errors", "logs", "system", "wsgi"},
    "cli": {
        "compress",
        "config",
        "environment",
        "errors",
        "habits",
        "hash_password",
        "options",
        "service",
        "serving",
        "version",
    },
    "compress": {"errors", "files"},
    "config": {"errors", "options"},
    "drop_in": {"errors", "handler", "logs"},
    "engine": {"errors", "logs", "record", "system", "transport"},
    "environment": {"errors", "http", "options", "system", "transport"},
    "errors": set(),
    "files": {"errors", "http", "logs", "reply", "system"},
    "greeting": {"config", "files", "logs", "spool", "system", "transport", "wsgi"},
    "habits": {"errors", "transport"},
    "handler": {"errors", "http", "protocol", "reply", "system"},
    "hash_password": {"errors", "http"},
    "http": {"errors"},
    "logs": {"http", "system"},
    "options": {"errors", "files", "http", "record", "transport"},
    "progress": {"engine", "logs", "system"},
    "protocol": {
        "errors",
        "files",
        "http",
        "logs",
        "reply",
        "response_counts",
        "site",
        "spool",
        "system",
        "transport",
        "version",
    },
    "proxied": {"errors", "http", "logs", "options", "protocol", "system", "transport"},
    "record": set(),
    "reload": {"logs", "system"},
    "reply": {"http", "transport"},
    "response_counts": set(),
    "run": {
        "application",
        "config",
        "drop_in",
        "engine",
        "errors",
        "files",
        "greeting",
        "handler",
        "http",
        "logs",
        "progress",
        "protocol",
        "proxied",
        "response_counts",
        "site",
        "spool",
        "system",
        "tls",
        "transport",
        "wsgi",
    },
    "service": {"config", "errors", "run", "serving", "system"},
    "serving": {
        "application",
        "config",
        "engine",
        "errors",
        "greeting",
        "logs",
        "reload",
        "run",
        "system",
        "tls",
        "transport",
        "workers",
        "wsgi",
    },
    "site": {"config", "errors", "files", "http", "logs", "reply", "system", "version", "wsgi"},
    "spool": {"errors", "logs", "system"},
    "system": set(),
    "tls": {"config", "engine", "errors", "http", "logs", "options", "protocol", "system", "transport"},
    "transport": {"errors", "logs", "system"},
    "version": set(),
    "workers": {"errors", "logs", "system"},
    "wsgi": {"errors", "http", "logs", "reply", "system"},
}

# The rules of HTTP know no socket, no thread, no clock and no file.
NOT_IN_HTTP = {"socket", "ssl", "selectors", "threading", "logging", "time", "os"}

# The hooks of socketserver and socket, whose own types are loose: (file below tpserver/, function). `Any` may stand in
# their signatures, and nowhere else in the engine.
SOCKETSERVER_HOOKS = {
    ("engine/server.py", name)
    for name in (
        "__init__",
        "close_request",
        "finish_request",
        "get_request",
        "handle_error",
        "process_request",
        "process_request_thread",
        "shutdown_request",
        "verify_request",
    )
}


def module_name(path: Path) -> str:
    """tpserver/engine/__init__.py -> tpserver.engine."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in FILES}


@functools.cache
def tree(path: Path) -> ast.Module:
    """What a file says; many tests look at it."""
    return ast.parse(path.read_text("utf-8"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) for everything that a file imports."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield node.lineno, inner if inner in MODULES else module


def graph() -> dict[str, set[str]]:
    """Each module of tpserver -> the modules of tpserver that it imports."""
    return {name: {module for _, module in imported(path) if module in MODULES} for name, path in MODULES.items()}


def circles(edges: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """The sets of modules of which each can be reached from each (strongly connected components with an edge)."""

    def reachable(start: str) -> set[str]:
        found: set[str] = set()
        waiting = list(edges[start])
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += edges[name]
        return found

    below = {name: reachable(name) for name in edges}
    return {
        frozenset(other for other in edges if other in below[name] and name in below[other])
        for name in edges
        if name in below[name]
    }


def short(module: str) -> str:
    return module.removeprefix("tpserver.")


def room(module: str) -> str:
    """tpserver.engine.server -> engine; tpserver -> __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def below_package(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def top(module: str) -> str:
    return module.partition(".")[0]


def lines_with_any(path: Path) -> set[int]:
    """The lines of a file on which the name `Any` stands, as code."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Name) and node.id == "Any":
            found.add(node.lineno)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.lineno for alias in node.names if alias.name == "Any"}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "cast" and "Any" in ast.unparse(node.args[0]):
            found.add(node.lineno)
    return found


def hook_lines(path: Path) -> set[int]:
    """The lines of the signatures of socketserver's hooks, and of the import of Any for them."""
    found: set[int] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef) and (below_package(path), node.name) in SOCKETSERVER_HOOKS:
            found |= set(range(node.lineno, node.body[0].lineno))
    if found:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module == "typing":
                found |= {alias.lineno for alias in node.names}
    return found


def test_no_module_can_come_back_to_itself() -> None:
    found = {frozenset(map(short, circle)) for circle in circles(graph())}
    assert [sorted(circle) for circle in found] == []


def test_a_circle_is_found() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"e"}}
    assert circles(edges) == {frozenset("bc"), frozenset("e")}


def test_every_room_is_in_the_table() -> None:
    unknown = {room(module) for module in MODULES} - MAY_IMPORT.keys()
    assert unknown == set(), "say in MAY_IMPORT what a new room may import"


def test_rooms_import_only_what_the_table_says() -> None:
    broken = {
        (short(module), room(other))
        for module, others in graph().items()
        for other in others
        if room(other) != room(module) and room(other) not in MAY_IMPORT.get(room(module), set())
    }
    assert broken == set()


def test_the_table_itself_runs_one_way() -> None:
    assert circles(MAY_IMPORT) == set()


def test_the_picture_in_contributing_agrees_with_the_table() -> None:
    document = (ROOT / "CONTRIBUTING.md").read_text("utf-8").replace("\n                ", " ")
    rows = [line.split("─▶") for line in document.splitlines() if "─▶" in line]
    drawn = {name.strip(): set(others.split()) for name, others in rows}
    assert drawn == {name: others for name, others in MAY_IMPORT.items() if others}
    names = list(drawn)
    upwards = {
        (name, other)
        for name in names
        for other in drawn[name] & drawn.keys()
        if names.index(other) < names.index(name)
    }
    assert upwards == set(), "what a room imports stands below it"


def test_nothing_in_the_engine_imports_its_server() -> None:
    server = "tpserver.engine.server"
    users = {short(module) for module, others in graph().items() if server in others and room(module) == "engine"}
    assert users == set()


@pytest.mark.parametrize("path", FILES, ids=below_package)
def test_only_the_standard_library_is_needed(path: Path) -> None:
    known = sys.stdlib_module_names | {"tpserver", "typing_extensions"}  # that one for type checkers only: see below
    assert [(line, module) for line, module in imported(path) if top(module) not in known] == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "http").rglob("*.py")), ids=below_package)
def test_the_rules_of_http_know_no_socket_no_thread_and_no_clock(path: Path) -> None:
    assert [(line, module) for line, module in imported(path) if top(module) in NOT_IN_HTTP] == []


@pytest.mark.parametrize("path", FILES, ids=below_package)
def test_every_file_says_what_lives_in_it(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "it begins with no docstring"


def test_no_file_is_long() -> None:
    long = {below_package(path) for path in FILES if len(path.read_text("utf-8").splitlines()) > MOST_LINES}
    assert long == set(), "a new capability gets a file of its own"


def test_few_lines_have_no_type() -> None:
    assert sum(len(lines_with_any(path)) for path in FILES) <= MOST_LINES_WITH_ANY


def test_the_engine_is_typed_but_for_the_hooks_of_socketserver() -> None:
    loose = {
        below_package(path)
        for room in ("engine", "transport")
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if lines_with_any(path) - hook_lines(path)
    }
    assert loose == set()


def lines_of(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_files_of_tests_are_short() -> None:
    long = [str(path.relative_to(ROOT)) for path in TESTS if lines_of(path) > MOST_LINES_OF_TESTS]
    assert long == [], "split them by what they test"


def test_helpers_of_tests_are_imported_by_their_whole_names() -> None:
    ours = {path.stem for path in TESTS} | {path.parent.name for path in TESTS}
    short = ours - {"tests"} - sys.stdlib_module_names
    broken = [
        f"{path}:{line} imports {module}" for path in TESTS for line, module in imported(path) if top(module) in short
    ]
    assert broken == [], "from tests.x import y"


def test_no_module_of_tests_is_loaded_under_two_names() -> None:
    loaded = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    files = [file for file in loaded if file and Path(file) in TESTS]
    assert files, "none is loaded at all"
    assert sorted(files) == sorted(set(files))


def test_it_runs_where_nothing_is_installed() -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tpserver.cli; print(tpserver.__version__)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_names_what_is_public() -> None:
    import tpserver

    assert sorted(tpserver.__all__) == ["Config", "Server", "__version__", "make_server", "serve"]
    assert all(hasattr(tpserver, name) for name in tpserver.__all__)
