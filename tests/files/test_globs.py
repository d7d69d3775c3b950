"""Globs over the paths of files."""

from __future__ import annotations

import pytest

from tpserver.files.rules import Glob

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
    ("/**", "anything/at/all", True),
    ("assets/**", "assets", False),
    ("a/**/b/**/c", "a/b/c", True),
    ("a/**/b/**/c", "a/x/b/y/z/c", True),
    ("a/**/b/**/c", "a/x/c", False),
    ("**/**/c", "c", True),
    ("*-*.js", "a-b-c.js", True),
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
    assert Glob(glob).matches(path) is taken


@pytest.mark.parametrize(
    "glob",
    ["", "/", "a***b", "a**b", "**.js", "a/**b", "a//b", "//a", "a/", "**/", "a" * 257, "\n" * 300, "a" * 250 + "**"],
)
def test_what_is_no_glob(glob: str) -> None:
    with pytest.raises(ValueError, match="glob") as caught:
        Glob(glob)
    assert "\n" not in str(caught.value)


def test_many_stars_and_a_long_path_that_almost_fits() -> None:
    """Expressions that try every way would not come to an end."""
    assert not Glob("*a" * 120 + "*b").matches("a" * 4000)
    assert not Glob("/".join(["**", "a*a*a"] * 25) + "/b").matches("/".join(["aaaa"] * 500))
