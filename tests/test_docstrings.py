"""Every public function, method and class says in a docstring what it does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tpserver"
FILES = sorted(PACKAGE.rglob("*.py"))


def undocumented(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    """The public names without a docstring; of a private class nothing is public."""
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node, f"{prefix}{node.name}.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_name_has_a_docstring(path: Path) -> None:
    assert list(undocumented(ast.parse(path.read_text("utf-8")))) == []


def test_a_name_without_a_docstring_is_found() -> None:
    source = (
        "def f(): ...\n"
        "class C:\n    'It has one.'\n    def m(self): ...\n    def _n(self): ...\n"
        "class _D:\n    def m(self): ...\n"
    )
    assert list(undocumented(ast.parse(source))) == ["f", "C.m"]
