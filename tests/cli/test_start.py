"""What a start imports: each module costs time and memory before the first answer."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.console import python

# Modules that a server of files does without until something asks for them.
HEAVY = {
    "ast", "base64", "bz2", "dataclasses", "datetime", "email", "hashlib", "html", "inspect", "ipaddress", "json",
    "lzma", "mimetypes", "random", "shutil", "ssl", "tempfile", "tpserver.compress.command",
    "tpserver.files.listing_page", "unittest", "urllib.parse",
}  # fmt: skip

# The parts of the library that the server cannot do without; some import one of HEAVY, in some version of Python.
NEEDED = (
    "import argparse, concurrent.futures._base, http, logging, runpy, socketserver, zlib\n"
    "argparse.ArgumentParser(add_help=False)"
)

told = pytest.mark.skipif(
    sys.platform == "win32", reason="a pipe there holds less than -X importtime writes before the end"
)


def heavy(stderr: str) -> set[str]:
    """The modules of HEAVY in what `-X importtime` writes."""
    return HEAVY & set(re.findall(r"^import time:.*\| +([\w.]+)$", stderr, re.MULTILINE))


def imported_by(program: str, folder: Path) -> set[str]:
    """The modules of HEAVY that a program imports."""
    with python("-S", "-X", "importtime", "-c", program, cwd=folder) as console:
        ended = console.end()
    assert ended.status == 0
    return heavy(ended.stderr)


def test_the_package_imports_nothing_that_the_first_answer_does_not_need(tmp_path: Path) -> None:
    assert imported_by("import tpserver, tpserver.cli", tmp_path) <= imported_by(NEEDED, tmp_path)


@told
def test_a_small_file_is_sent_before_anything_else_is_imported(site: Path) -> None:
    with python("-S", "-X", "importtime", "-m", "tpserver", "--port", "0", cwd=site) as console:
        assert console.get("/") == "home"
        ended = console.stop()
    assert ended.status == 0
    assert heavy(ended.stderr) <= imported_by(NEEDED, site)


@told
def test_an_application_is_served_before_anything_else_is_imported(site: Path) -> None:
    with python("-S", "-X", "importtime", "-m", "tpserver", "hello:app", "--port", "0", cwd=site) as console:
        assert console.get("/") == "hello /"
        ended = console.stop()
    assert ended.status == 0
    assert heavy(ended.stderr) <= imported_by(NEEDED, site)


def test_what_a_program_imports_is_seen(tmp_path: Path) -> None:
    assert {"json", "urllib.parse"} <= imported_by("import json, urllib.parse", tmp_path)
