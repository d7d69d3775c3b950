"""Globs over the paths of files."""

from __future__ import annotations

import pytest

from tpserver.http.globs import compile_glob

CASES = [
    # without a slash: names, in every folder
    ("*.js", "app.js", True),
    ("*.js", "assets/js/app.js", True),
    ("*.js", "app.js.map", False),
    ("*.js", "app.JS", False),
    ("*", "a/b/c", True),
    ("robots.txt", "robots.txt", True),
    ("robots.txt", "old/robots.txt", True),
    ("robots.txt", "norobots.txt", False),
    ("robots.txt", "robotsXtxt", False),
    # with one: paths from the root on
    ("/*.js", "app.js", True),
    ("/*.js", "assets/app.js", False),
    ("assets/*.js", "assets/app.js", True),
    ("/assets/*.js", "assets/app.js", True),
    ("assets/*.js", "old/assets/app.js", False),
    ("assets/*.js", "assets/deep/app.js", False),
    ("assets/*", "assets/", True),
    # across segments
    ("assets/**", "assets/deep/er/app.js", True),
    ("assets/**", "assets2/app.js", False),
    ("assets/**/*.js", "assets/app.js", True),
    ("assets/**/*.js", "assets/deep/er/app.js", True),
    ("**/*.js", "app.js", True),
    ("**/img/*.png", "img/a.png", True),
    ("**/img/*.png", "deep/img/a.png", True),
    ("**/img/*.png", "deepimg/a.png", False),
    ("**", "anything/at/all", True),
    # one character, and what is none of these
    ("photo?.jpg", "photo1.jpg", True),
    ("photo?.jpg", "photo12.jpg", False),
    ("a?b", "a/b", False),
    ("[ab].txt", "a.txt", False),
    ("[ab].txt", "[ab].txt", True),
    ("a+b(c).txt", "a+b(c).txt", True),
    ("gr\u00fc\u00df?.txt", "gr\u00fc\u00dfe.txt", True),
    ("*.txt", "two\nlines.txt", True),
]


@pytest.mark.parametrize(("glob", "path", "taken"), CASES)
def test_a_glob_takes_a_path(glob: str, path: str, taken: bool) -> None:
    assert (compile_glob(glob).fullmatch(path) is not None) is taken


@pytest.mark.parametrize("glob", ["", "/", "a***b", "a//b", "*a" * 17, "a" * 257])
def test_what_is_no_glob(glob: str) -> None:
    with pytest.raises(ValueError, match="glob"):
        compile_glob(glob)
