"""Django, which is set up once in a process."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The `Project` of tests/frameworks/django_site.py."""
    pytest.importorskip("django", reason="Django is not installed")
    from tests.frameworks import django_site

    return django_site.configure(tmp_path_factory.mktemp("django"))
