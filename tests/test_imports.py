"""The house's walls: who imports whom, nothing but the standard library, short files that say what lives in them.

The tests have some as well: short files, and one name for each module.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tpserver"
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 450
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_TEST = 400

# A room (a folder, or a file that is one by itself) -> the rooms that it may import; imports run one way.
MAY_IMPORT = {
    "__init__": {"config", "run", "version"},
    "__main__": {"cli"},
    "ending": {"logs", "system"},
    "application": {"errors", "logs", "system", "wsgi"},
    "cli": {"compress", "config", "ending", "errors", "run", "version"},
    "compress": {"errors", "files"},
    "run": {
        "application",
        "config",
        "ending",
        "engine",
        "errors",
        "files",
        "handler",
        "http",
        "logs",
        "protocol",
        "response_counts",
        "site",
        "spool",
        "system",
        "version",
        "wsgi",
    },
    "site": {"config", "errors", "files", "http", "reply", "version", "wsgi"},
    "handler": {"errors", "http", "logs", "protocol", "reply", "system"},
    "protocol": {"engine", "errors", "http", "logs", "reply", "response_counts", "site", "spool", "system"},
    "spool": {"errors", "logs"},
    "files": {"errors", "http", "logs", "reply", "system"},
    "wsgi": {"errors", "http", "logs", "reply", "system"},
    "reply": {"engine", "http"},
    "logs": {"http", "system"},
    "engine": {"errors", "logs", "system"},
    "config": {"errors", "files", "http"},
    "http": {"errors"},
    "response_counts": set(),
    "system": set(),
    "errors": set(),
    "version": set(),
}

# The rules of HTTP know no socket, no thread, no clock.
NOT_IN_HTTP = {"socket", "ssl", "selectors", "threading", "logging", "time", "os"}


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) for everything that a file imports, wherever in it."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield node.lineno, module
            if module == "tpserver" or (PACKAGE.parent / module.replace(".", "/")).is_dir():
                for alias in node.names:
                    yield node.lineno, f"{module}.{alias.name}"


def top(module: str) -> str:
    return module.partition(".")[0]


def ours(path: Path) -> Iterator[tuple[int, str]]:
    """(line, room) for what a file imports of the package."""
    for line, module in imported(path):
        parts = module.split(".")
        if parts[0] == "tpserver" and len(parts) > 1:
            yield line, parts[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    here = room(path)
    assert here in MAY_IMPORT, f"{here} is a new room: say here what it may import"
    allowed = MAY_IMPORT[here] | {here}
    broken = [f"{path}:{line} imports {there}" for line, there in ours(path) if there not in allowed]
    assert broken == []


def test_no_room_can_come_back_to_itself() -> None:
    below: dict[str, set[str]] = {}

    def everything_below(name: str) -> set[str]:
        if name not in below:
            below[name] = set()
            below[name] = set().union(*({other} | everything_below(other) for other in MAY_IMPORT[name]))
        return below[name]

    assert [name for name in MAY_IMPORT if name in everything_below(name)] == []


def test_the_engine_knows_no_http_and_the_rules_know_no_engine() -> None:
    assert not MAY_IMPORT["engine"] - {"errors", "logs", "system"}
    assert not MAY_IMPORT["http"] - {"errors"}
    assert not MAY_IMPORT["files"] - {"errors", "http", "logs", "reply", "system"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_standard_library_is_needed(path: Path) -> None:
    known = sys.stdlib_module_names | {"tpserver"}
    assert [(line, module) for line, module in imported(path) if top(module) not in known] == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "http").glob("*.py")), ids=lambda path: path.name)
def test_the_rules_of_http_know_no_socket_no_thread_and_no_clock(path: Path) -> None:
    assert [(line, module) for line, module in imported(path) if top(module) in NOT_IN_HTTP] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_what_lives_in_it_and_is_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text)), "it begins with no docstring"
    assert len(text.splitlines()) <= LONGEST, "a new capability gets a room of its own"


def lines_of(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_files_of_tests_are_short() -> None:
    long = [str(path.relative_to(ROOT)) for path in TESTS if lines_of(path) > LONGEST_TEST]
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
