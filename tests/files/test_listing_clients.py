"""Programs that take a listing for a folder: each finds every file, and asks for it once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from tests.console import PATIENCE
from tests.running import Running, Start
from tests.waiting import eventually

pytestmark = pytest.mark.field

FILES = [
    "a.txt",
    "plain/deep/a b&c+d'e%f.txt",
    "plain/deep/more/(1).bin",
    "plain/deep/caf\u00e9.txt",
    "year=2024/x.csv",
]
FILES += [f"plain/{number}.txt" for number in range(1, 10)]
if sys.platform != "win32":
    FILES += ["plain/deep/a:b.txt"]
FOLDERS = 6  # that are listed, "empty" among them


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree of files with names that a careless program, or page, would take for something else."""
    root = tmp_path / "root"
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "empty").mkdir()
    return root


@pytest.fixture
def serve(start: Start, root: Path, tmp_path: Path) -> Callable[[], Running]:
    return lambda: start(root=root, listing=True, access_log=str(tmp_path / "access.log"))


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name} is installed")
    return path


def run(*command: str) -> str:
    """Runs a program to its end, and returns what it writes."""
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_python(code: str, *needs: str, arguments: tuple[str, ...] = ()) -> object:
    """Runs `code` in another process, where warnings of its libraries are none of ours; what it prints as JSON."""
    for module in needs:
        pytest.importorskip(module)
    return json.loads(run(sys.executable, "-c", code, *arguments))


def files_below(folder: Path) -> list[str]:
    """What was fetched, but for the listings themselves."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith("index.html"))


def asked(tmp_path: Path, method: str = "GET") -> Counter[str]:
    """How often what was asked for, when the log has all of it."""
    targets = [line.split('"')[1].split(" ") for line in (tmp_path / "access.log").read_text("utf-8").splitlines()]
    return Counter(unquote(target) for verb, target, _ in targets if verb == method)


def all_asked(tmp_path: Path) -> Counter[str]:
    eventually(lambda: all(asked(tmp_path)["/" + name] for name in FILES), "the log does not name every file")
    return asked(tmp_path)


@pytest.mark.parametrize("target", ["/", "/plain/deep/"])
def test_wget_mirrors_a_folder_and_fetches_nothing_twice(
    serve: Callable[[], Running], tmp_path: Path, target: str
) -> None:
    out = tmp_path / "out"
    run(program("wget"), "-q", "-r", "-l", "inf", "-nH", "--no-proxy", "-P", str(out), serve().url + target)
    assert files_below(out) == sorted(FILES)
    fetched = all_asked(tmp_path)
    assert max(fetched.values()) == 1, fetched
    assert sum(fetched.values()) <= len(FILES) + FOLDERS + 2  # and robots.txt


def test_wget_stays_below_a_folder_when_it_is_told_to(serve: Callable[[], Running], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(program("wget"), "-q", "-r", "-np", "-nH", "--no-proxy", "-P", str(out), serve().url + "/plain/deep/")
    assert files_below(out) == sorted(name for name in FILES if name.startswith("plain/deep/"))


def test_lftp_mirrors_a_folder(serve: Callable[[], Running], tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = f"set net:max-retries 1; set cmd:fail-exit yes; open {serve().url}/; mirror . {out}"
    run(program("lftp"), "--norc", "-c", script)
    assert files_below(out) == sorted(FILES)
    fetched = all_asked(tmp_path)
    assert all(fetched["/" + name] == 1 for name in FILES)


def test_rclone_copies_a_folder(serve: Callable[[], Running], tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = tmp_path / "rclone.conf"
    config.touch()
    options = ["--config", str(config), "--http-url", serve().url + "/"]
    run(program("rclone"), "copy", ":http:", str(out), *options)
    assert files_below(out) == sorted(FILES)
    listed = run(program("rclone"), "lsf", "-R", "--files-only", ":http:", *options)
    assert sorted(listed.splitlines()) == sorted(FILES)


FSSPEC = """
import json, sys, fsspec
files = fsspec.filesystem("http")
base = sys.argv[1]
print(json.dumps({
    "find": files.find(base), "glob": files.glob(base + "plain/*.txt"),
    "empty": files.ls(base + "empty/", detail=False),
    "partitions": files.glob(base + "year=*/*.csv"), "read": files.cat(base + "plain/1.txt").decode(),
}))
"""


def test_fsspec_finds_files_and_patterns(serve: Callable[[], Running]) -> None:
    base = serve().url + "/"
    found = run_python(FSSPEC, "fsspec", "aiohttp", arguments=(base,))
    assert isinstance(found, dict)
    assert sorted(unquote(name) for name in found["find"]) == sorted(base + name for name in FILES)
    assert found["glob"] == [f"{base}plain/{number}.txt" for number in range(1, 10)]
    assert found["partitions"] == [base + "year=2024/x.csv"]
    assert (found["empty"], found["read"]) == ([], "plain/1.txt")


GDAL = """
import json, struct, sys
import numpy, pyogrio, pyogrio.raw
point = numpy.array([struct.pack("<BIdd", 1, 1, 1.0, 2.0)], dtype=object)
url, folder = sys.argv[1:]
for name in ("one", "two"):
    pyogrio.raw.write(f"{folder}/{name}.shp", geometry=point, field_data=[numpy.array([1])], fields=["n"],
                      geometry_type="Point", crs="EPSG:4326")
print(json.dumps([layer for layer, _ in pyogrio.list_layers("/vsicurl/" + url)]))
"""


@pytest.mark.parametrize("name", ["shapes", "two words", "a&b", "(1)"])
def test_gdal_opens_a_folder_of_shapefiles(serve: Callable[[], Running], root: Path, name: str) -> None:
    (root / name).mkdir()
    url = f"{serve().url}/{quote(name)}"
    layers = run_python(GDAL, "numpy", "pyogrio", arguments=(url, str(root / name)))
    assert layers == ["one", "two"]


def test_pip_finds_a_wheel(serve: Callable[[], Running], root: Path) -> None:
    import zipfile

    pytest.importorskip("pip")
    info = "thing-1.0+local.dist-info"
    with zipfile.ZipFile(root / "plain" / "thing-1.0+local-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0+local\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    out = root.parent / "out"
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-cache-dir", "download"]
    run(*pip, "-q", "--no-index", "--no-deps", "--find-links", serve().url + "/plain/", "-d", str(out), "thing")
    assert files_below(out) == ["thing-1.0+local-py3-none-any.whl"]
