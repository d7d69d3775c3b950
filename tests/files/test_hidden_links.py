"""A link within the root publishes a file with a hidden name no more than one with the name of a program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import ask
from tests.files.links import link
from tests.running import Start


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for path in (".env", ".git/config", "program.py", "..2026_11/page.txt", "shown/a.txt", ".well-known/b.txt"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path, "utf-8")
    for name, target in {
        "env.txt": ".env",
        "config.txt": ".git/config",
        "git": ".git",
        "program.txt": "program.py",
        "..data": "..2026_11",
        "page.txt": "..data/page.txt",
        "folder": "shown",
        "b.txt": ".well-known/b.txt",
    }.items():
        link(root / name, Path(target))
    return root


@pytest.mark.parametrize("follow_links", [False, True])
@pytest.mark.parametrize("target", ["/env.txt", "/config.txt", "/git/config", "/program.txt", "/git/"])
def test_a_link_to_what_is_hidden_is_not_served(start: Start, root: Path, target: str, follow_links: bool) -> None:
    running = start(root=str(root), listing=True, follow_links=follow_links)
    assert ask(running, target).status == 404
    assert target.strip("/").partition("/")[0].encode() not in ask(running, "/").content


@pytest.mark.parametrize("target", ["/page.txt", "/folder/a.txt", "/b.txt"])
def test_a_link_to_what_is_shown_is_served(start: Start, root: Path, target: str) -> None:
    """`..data` is what Kubernetes mounts: a file is a link to a link to a folder of a name with two dots."""
    assert ask(start(root=str(root)), target).status == 200


def test_a_link_out_of_the_root_may_be_followed_but_not_to_a_hidden_file(start: Start, root: Path) -> None:
    outside = root.parent / ".releases"
    outside.mkdir()
    for name in (".env", "a.txt"):
        (outside / name).write_text(name, "utf-8")
        link(root / f"out-{name.strip('.')}", outside / name)
    running = start(root=str(root), follow_links=True)
    assert ask(running, "/out-a.txt").status == 200
    assert ask(running, "/out-env").status == 404


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.js", "a.unknown", "a.png"])
def test_the_type_of_a_file_is_not_guessed_by_its_content(start: Start, tmp_path: Path, name: str, size: int) -> None:
    (tmp_path / name).write_bytes(b"x" * size)
    running = start(root=str(tmp_path), compress="off")
    for lines in ([], ["Range: bytes=0-1"]):
        assert ask(running, f"/{name}", *lines)["X-Content-Type-Options"] == "nosniff"
    own = start(root=str(tmp_path), header=["*=X-Content-Type-Options:other"])
    assert ask(own, f"/{name}")["X-Content-Type-Options"] == "other"
