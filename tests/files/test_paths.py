"""From a request's path to names of files: what is refused before any system call, on every system and on Windows."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpserver.files.paths import allowed, allowed_on_windows, is_program, os_text, segments, url_name, without_dots


def latin(text: str) -> str:
    """The path as the parser hands it on: its UTF-8 bytes, each as a character of latin-1 (PEP 3333)."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/", ()),
        ("/a", ("a",)),
        ("/a/b.html", ("a", "b.html")),
        ("/a/", ("a",)),
        ("//a", ("a",)),
        ("///a////b///", ("a", "b")),
        ("/.well-known/security.txt", (".well-known", "security.txt")),
        ("/a/.well-known/x", ("a", ".well-known", "x")),
        ("/a b", ("a b",)),
        ("/a%2e", ("a%2e",)),  # decoded once, never twice
        ("/%2e%2e/a", ("%2e%2e", "a")),
        ("/a:b", ("a:b",)),
        ("/a..b", ("a..b",)),
        ("/a...", ("a...",)),
        ("/~", ("~",)),
        ("/\u00e4/\u65e5\u672c", ("\u00e4", "\u65e5\u672c")),
        ("/a\n", ("a\n",)),
        ("/con", ("con",)),
    ],
)
def test_a_path_becomes_the_names_of_folders_and_a_file(path: str, names: tuple[str, ...]) -> None:
    assert segments(latin(path), windows=False) == names


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../",
        "/../a",
        "/a/../b",
        "/a/..",
        "//../a",
        "/.",
        "/./a",
        "/a/./b",
        "/...",
        "/..;/a",
        "/.git/config",
        "/a/.htaccess",
        "/.well-known/.secret",
        "/.well-known2/x",
        "/.Well-Known/x",
        "/a\\b",
        "/\\",
        "/..\\a",
        "/\\\\host\\share",
        "\\\\host/share",
        "/a\0",
        "/\0/../../a",
        "/a\0.html",
    ],
)
@pytest.mark.parametrize("windows", [False, True])
def test_what_is_no_name_of_a_visible_file_is_refused(path: str, windows: bool) -> None:
    assert segments(latin(path), windows=windows) is None


def test_bytes_that_are_no_utf_8_stay_the_bytes_that_they_are() -> None:
    names = segments("/\xff\xe4.txt", windows=False)
    assert names == ("\udcff\udce4.txt",)
    assert names[0].encode("utf-8", "surrogateescape") == b"\xff\xe4.txt"


@pytest.mark.parametrize("path", ["/\xc0\xae\xc0\xae/a", "/..\xc0\xafa", "/\xe0\x80\xaf"])
def test_overlong_utf_8_is_no_dot_and_no_slash(path: str) -> None:
    names = segments(path, windows=False)
    assert names is None or not {"..", ""}.intersection(names)


DEVICES = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"]
PORTS = [port + digit for port in ("COM", "LPT") for digit in "0123456789\u00b9\u00b2\u00b3"]


@pytest.mark.parametrize("device", DEVICES + PORTS)
@pytest.mark.parametrize(
    "form", ["{}", "{}.txt", "{}.tar.gz", "{} .txt", "{}  .html", " {}", "{}.", "{} ", "{}:", "{}.txt::$DATA"]
)
def test_windows_device_names_are_no_files(device: str, form: str) -> None:
    for name in (form.format(device), form.format(device.lower()), form.format(device.title())):
        assert not allowed_on_windows(name)
        assert segments(latin("/sub/" + name), windows=True) is None
        assert segments(latin(f"/{name}/a.txt"), windows=True) is None


@pytest.mark.parametrize(
    "name",
    [
        "a.",
        "a ",
        "a. .",
        "a.txt...",
        "a.txt ",
        "secret.py.",
        "secret.py ",
        "c:",
        "C:a.txt",
        "a.txt:stream",
        "a.txt::$DATA",
        "index.html:$i30:$INDEX_ALLOCATION",
        "a*",
        "a?",
        'a"b',
        "a<b",
        "a>b",
        "a|b",
        "a\tb",
        "a\n",
        "a\x1f",
        "SECRET~1.TXT",
        "HTACCE~1",
        "a~9",
        "\udcff.txt",
    ],
)
def test_what_windows_reads_as_another_name_is_refused_there(name: str) -> None:
    assert not allowed_on_windows(name)
    assert segments(latin("/" + name), windows=True) is None


@pytest.mark.parametrize(
    "name",
    [
        "a.txt",
        "console.txt",
        "con-fusion.txt",
        "nullable",
        "aux1",
        "COM10",
        "COM\u2074",
        "com.txt",
        "lpt",
        "a.con",
        "a~b.txt",
        "~",
        "a b.txt",
        "a..b",
        "\u00e4\u65e5\u672c.txt",
        "a#%&{}$!'@+`=.txt",
    ],
)
def test_other_names_are_files_on_windows_too(name: str) -> None:
    assert allowed_on_windows(name)
    assert segments(latin("/" + name), windows=True) == (name,)


@pytest.mark.parametrize(
    ("path", "program"),
    [
        ("/a.py", True),
        ("/a.PY", True),
        ("/a.Py", True),
        ("/.py", True),
        ("/a.py/", False),
        ("/a.pyc", False),
        ("/a.python", False),
        ("/apy", False),
        ("/a.py.txt", False),
        ("/", False),
        ("", False),
    ],
)
def test_a_path_that_ends_in_py_is_a_program(path: str, program: bool) -> None:
    assert is_program(path) is program


@settings(deadline=None)
@given(st.binary(max_size=40), st.booleans())
def test_no_path_leads_above_its_folder(data: bytes, windows: bool) -> None:
    names = segments("/" + data.decode("latin-1"), windows=windows)
    for name in names or ():
        assert name not in ("", ".", "..")
        assert not set(name) & {"/", "\\", "\0"}
        assert name == ".well-known" or name[0] != "."


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_the_bytes_of_a_path_survive(data: bytes) -> None:
    assert os_text(data.decode("latin-1")).encode("utf-8", "surrogateescape") == data


@given(st.binary(min_size=1).filter(lambda data: b"/" not in data))
@settings(max_examples=200)
def test_a_name_written_into_a_url_leads_back_to_it(data: bytes) -> None:
    name = os_text(data.decode("latin-1"))
    written = url_name(name)
    assert re.fullmatch(r"[A-Za-z0-9._~%-]+", written)
    came = unquote_to_bytes(written).decode("latin-1")
    visible = "\0" not in name and allowed(name, windows=False)
    assert segments("/" + came, windows=False) == ((name,) if visible else None)


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/./a", "/a"),
        ("/a/./b", "/a/b"),
        ("/././a/././b", "/a/b"),
        ("/.", "/"),
        ("/./", "/"),
        ("/a/.", "/a/"),
        ("/a/./", "/a/"),
        ("/a/.//b", "/a//b"),
        ("/a/..", "/a/.."),
        ("/.a/b.", "/.a/b."),
        ("/. /a", "/. /a"),
    ],
)
def test_a_segment_that_is_one_dot_is_dropped(path: str, clean: str) -> None:
    assert without_dots(path) == clean
