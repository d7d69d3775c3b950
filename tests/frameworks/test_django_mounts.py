"""Django with `--mount`: its static files, the media files that it stores while it runs, and a prefix of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.frameworks import django_site
from tests.frameworks.browser import Browser
from tests.logged import errors


@pytest.fixture
def browser(start: Callable[..., Any], project: django_site.Project, log: pytest.LogCaptureFixture) -> Any:
    """Opens the site as the README says to run it; at the end the server must have found nothing to complain of."""
    mounts = [f"/static={project.root / 'static'}", f"/media={project.folder}"]
    with Browser(start(project.app, mount=mounts).url) as session:
        yield session
    assert errors(log, "tpserver") == []


def test_static_files_come_from_the_folder_where_they_are_collected(browser: Browser) -> None:
    answer = browser.get("/static/admin/css/base.css")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "X-Frame-Options" not in answer.headers  # not from Django
    assert browser.get("/static/admin/css/none.css").status_code == 404
    assert browser.get("/").text == "the front page"
    assert browser.get("/admin/login/").status_code == 200


def test_media_files_are_there_as_soon_as_django_has_stored_them(browser: Browser) -> None:
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    assert browser.get("/media/photos/new.png").status_code == 404
    name = default_storage.save("photos/new.png", ContentFile(b"picture"))
    answer = browser.get("/media/" + name)
    assert (answer.content, answer.headers["Content-Type"]) == (b"picture", "image/png")
    default_storage.delete(name)
    assert browser.get("/media/" + name).status_code == 404


def test_an_uploaded_program_is_not_sent_nor_run(browser: Browser, project: django_site.Project) -> None:
    (project.folder / "evil.py").write_text("print('evil')", "utf-8")
    assert browser.get("/media/evil.py").status_code == 404
    assert browser.get("/media/%2e%2e/db.sqlite3").status_code == 404


def test_django_below_a_prefix_makes_its_addresses_with_it(
    start: Callable[..., Any], project: django_site.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(django_site, "application", project.app, raising=False)
    running = start(mount=["/shop=tests.frameworks.django_site:application"])
    with Browser(running.url) as browser:
        assert browser.get("/shop/").text == "the front page"
        page = browser.get("/shop/admin/")
        assert page.url == f"{browser.url}/shop/admin/login/?next=/shop/admin/"
        answer = browser.get("/shop/old")
        assert answer.url == f"{browser.url}/shop/item/5/a%20b/%C3%BC"
        assert browser.get("/").status_code == 404
