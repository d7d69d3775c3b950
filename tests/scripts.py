"""The scripts of docs/, which are no modules of the package."""

from __future__ import annotations

import importlib.util
from typing import Any

from tests.console import ROOT

DOCS = ROOT / "docs"


def script(name: str) -> Any:
    """The script of this name as a module."""
    specification = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
