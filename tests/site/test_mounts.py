"""--mount: folders and applications below prefixes of the path."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.client import Response, ask
from tests.running import Start
from tpserver.config import Config
from tpserver.errors import StartError, UsageError
from tpserver.run import make_server

APPLICATION = """
def create_app(name="made"):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [" ".join([name, environ["SCRIPT_NAME"] or "-", environ["PATH_INFO"] or "-"]).encode("latin-1")]
    return app

app = create_app("app")
"""
HTML = "Accept: text/html"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders public and inner, each with files, a root, and an application, where the server runs."""
    for name in ("public", "inner", "root"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name.txt").write_bytes(name.encode())
    (tmp_path / "public" / "css").mkdir()
    (tmp_path / "public" / "css" / "a.css").write_bytes(b"a {}")
    (tmp_path / "root" / "index.html").write_bytes(b"root page")
    (tmp_path / "mounted_site.py").write_text(APPLICATION, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mounted_site", raising=False)
    return tmp_path


def get(running: Any, target: str, *fields: str, **more: Any) -> Response:
    return ask(running, target, *fields, **more)


def test_a_folder_is_served_below_its_prefix_and_nowhere_else(place: Path, start: Start) -> None:
    running = start(root="root", mount=["/static=public"])
    assert get(running, "/static/name.txt").content == b"public"
    assert get(running, "/static/css/a.css").fields["content-type"] == "text/css; charset=utf-8"
    assert get(running, "/name.txt").content == b"root"
    assert get(running, "/css/a.css").status == 404
    assert get(running, "/static/none").status == 404


def test_without_a_root_nothing_else_is_served(place: Path, start: Start) -> None:
    running = start(mount=["/static=public"])
    assert get(running, "/static/name.txt").content == b"public"
    assert get(running, "/").status == 404
    assert get(running, "/name.txt").status == 404
    assert get(running, "/mounted_site.py").status == 404


def test_a_prefix_ends_at_a_segment_and_the_longest_decides(place: Path, start: Start) -> None:
    running = start(root="root", mount=["/static=public", "/static/inner=inner", "/a/b=inner"])
    assert get(running, "/static/inner/name.txt").content == b"inner"
    assert get(running, "/static/name.txt").content == b"public"
    assert get(running, "/a/b/name.txt").content == b"inner"
    for outside in ("/staticx/name.txt", "/static.txt", "/STATIC/name.txt", "/static/innerx/name.txt", "/a/name.txt"):
        assert get(running, outside).status == 404, outside


def test_an_application_gets_its_prefix_and_the_rest_of_the_path(place: Path, start: Start) -> None:
    running = start(root="root", mount=["/api=mounted_site:app", "/docs=mounted_site:create_app('docs')"])
    assert get(running, "/api/users/1?a=b").content == b"app /api /users/1"
    assert get(running, "/api/").content == b"app /api /"
    assert get(running, "/api").content == b"app /api -"
    assert get(running, "/api//x/").content == b"app /api //x/"
    assert get(running, "/docs/a.py").content == b"docs /docs /a.py"
    assert get(running, "/apix").status == 404
    assert get(running, "/").content == b"root page"


def test_the_application_beside_mounts_gets_all_other_paths(place: Path, start: Start) -> None:
    running = start(app="mounted_site:app", mount=["/static=public", "/docs=mounted_site:create_app('docs')"])
    assert get(running, "/static/name.txt").content == b"public"
    assert get(running, "/static/none").status == 404
    assert get(running, "/docs/x").content == b"docs /docs /x"
    assert get(running, "/staticx").content == b"app - /staticx"
    assert get(running, "/").content == b"app - /"


@pytest.mark.parametrize(
    "target",
    [
        "/%73tatic/name.txt",
        "/static%2Fname.txt",
        "//static//name.txt",
        "/./static/./name.txt",
        "/%2E/static/name.txt",
        "http://a.example/static/name.txt",
    ],
)
def test_no_spelling_of_a_path_leads_around_a_mount(place: Path, start: Start, target: str) -> None:
    running = start(app="mounted_site:app", mount=["/static=public"])
    assert get(running, target).content == b"public"


@pytest.mark.parametrize("target", ["/%61pi/x", "//api/x", "/./api/x", "/api/x", "/%2e/%2fapi/x"])
def test_other_spellings_of_the_prefix_of_an_application(place: Path, start: Start, target: str) -> None:
    running = start(root="root", mount=["/api=mounted_site:app"])
    assert get(running, target).content == b"app /api /x"


@pytest.mark.parametrize(
    "target", ["/static/../docs/x", "/x/../static/name.txt", "/docs/../x", "/docs/%2e%2e/x", "/x/%2e%2e/docs"]
)
def test_dot_segments_lead_out_of_no_mount_and_into_none(place: Path, start: Start, target: str) -> None:
    running = start(app="mounted_site:app", mount=["/static=public", "/docs=mounted_site:create_app('docs')"])
    assert get(running, target).status == 404
    assert get(running, "/docs/a/../b").content == b"docs /docs /a/../b"  # stays within it: its own affair
    assert get(running, "/a/../b").content == b"app - /a/../b"


def test_a_path_that_leads_from_one_mount_into_another_has_the_fields_and_the_page_of_the_site(
    place: Path, start: Start
) -> None:
    running = start(root="root", mount=["/m=public"], error_page=["404=index.html"], header=["**=X-A: b"], cors=["*"])
    answer = ask(running, "/m/../name.txt", HTML)
    assert (answer.status, answer.content) == (404, b"root page")
    assert (answer["X-A"], answer["Access-Control-Allow-Origin"]) == ("b", "*")


def test_redirects_lead_below_the_prefix(place: Path, start: Start) -> None:
    (place / "public" / "css" / "index.html").write_bytes(b"css")
    running = start(root="root", mount=["/a/static=public"], listing=True)
    for target, location in [
        ("/a/static", "static/"),
        ("/a/static?v=1", "static/?v=1"),
        ("/a/static/css", "css/"),
        ("//a/static", "/a/static/"),
        ("/a/./static/css", "/a/static/css/"),
    ]:
        answer = get(running, target)
        assert (answer.status, answer.fields["location"]) == (301, location), target


def test_the_prefix_without_a_slash_leads_to_the_folder_that_is_not_listed(place: Path, start: Start) -> None:
    running = start(app="mounted_site:app", mount=["/static=public"])
    assert get(running, "/static").fields["location"] == "static/"
    assert get(running, "/static/").status == 404


def test_a_listing_shows_the_whole_path(place: Path, start: Start) -> None:
    running = start(root="root", mount=["/a/static=public"], listing=True, archive=True)
    top = get(running, "/a/static/", HTML).content.decode()
    assert "/a/static/" in top.partition("</title>")[0]
    assert 'href="css/"' in top
    assert 'href="../"' in top
    inner = get(running, "/a/static/css/", HTML).content.decode()
    assert "/a/static/css/" in inner.partition("</title>")[0]
    assert 'href="a.css"' in inner
    assert b"a.css" in get(running, "/a/static/?archive=zip").content


def test_globs_match_the_whole_path(place: Path, start: Start) -> None:
    running = start(
        root="root",
        mount=["/static=public"],
        cache_control=["/static/**=max-age=60", "css/*=max-age=7"],
        header=["*.css=X-A: 1"],
    )
    answer = get(running, "/static/css/a.css")
    assert (answer.fields["cache-control"], answer.fields["x-a"]) == ("max-age=60", "1")
    assert "cache-control" not in get(running, "/name.txt").fields


def test_coded_files_beside_those_of_a_mount_are_sent(place: Path, start: Start) -> None:
    import gzip

    (place / "public" / "css" / "b.css").write_bytes(b"b {}" * 1000)
    (place / "public" / "css" / "b.css.gz").write_bytes(gzip.compress(b"b {}" * 1000))
    running = start(mount=["/static=public"], compress="sidecars")
    answer = get(running, "/static/css/b.css", "Accept-Encoding: gzip")
    assert answer.fields["content-encoding"] == "gzip"


def test_each_mounted_folder_has_its_own_page_of_an_spa(place: Path, start: Start) -> None:
    for name in ("public", "inner"):
        (place / name / "index.html").write_text(f"spa {name}", "utf-8")
    running = start(app="mounted_site:app", mount=["/de=public", "/en=inner"], spa="index.html")
    assert get(running, "/de/route/7", HTML).content == b"spa public"
    assert get(running, "/en/route/7", HTML).content == b"spa inner"
    assert get(running, "/de/missing.png", HTML).status == 404
    assert get(running, "/route/7", HTML).content == b"app - /route/7"


def test_the_error_page_of_the_mount_or_else_of_the_root(place: Path, start: Start) -> None:
    (place / "root" / "404.html").write_bytes(b"none in root")
    (place / "public" / "404.html").write_bytes(b"none in public")
    running = start(root="root", mount=["/static=public", "/other=inner"], error_page=["404=404.html"])
    assert get(running, "/static/none", HTML).content == b"none in public"
    assert get(running, "/other/none", HTML).content == b"none in root"
    assert get(running, "/none", HTML).content == b"none in root"


def test_mounts_are_below_each_virtual_host(place: Path, start: Start) -> None:
    running = start(
        vhost=["a.example=root", "b.example=mounted_site:app"], mount=["/static=public", "/api=mounted_site:app"]
    )
    for host in ("a.example", "b.example"):
        assert get(running, "/static/name.txt", host=host).content == b"public"
        assert get(running, "/api/x", host=host).content == b"app /api /x"
    assert get(running, "/", host="a.example").content == b"root page"
    assert get(running, "/x", host="b.example").content == b"app - /x"
    assert get(running, "/static/name.txt", host="c.example").status == 421


def test_an_edit_of_a_mounted_file_takes_effect_at_once(place: Path, start: Start) -> None:
    running = start(mount=["/media=public"])
    assert get(running, "/media/new.txt").status == 404
    (place / "public" / "new.txt").write_bytes(b"uploaded")
    assert get(running, "/media/new.txt").content == b"uploaded"
    (place / "public" / "new.txt").write_bytes(b"again")
    assert get(running, "/media/new.txt").content == b"again"
    (place / "public" / "new.txt").unlink()
    assert get(running, "/media/new.txt").status == 404


def test_a_prefix_is_written_as_in_an_address_or_as_it_is_read(place: Path, start: Start) -> None:
    running = start(mount=["/caf%C3%A9=public", "/über uns/=inner"])
    assert get(running, "/caf%c3%a9/name.txt").content == b"public"
    assert get(running, "/%C3%BCber%20uns/name.txt").content == b"inner"
    assert get(running, "/%C3%BCber%20uns").fields["location"] == "%C3%BCber%20uns/"


def test_an_application_reads_a_content_below_its_prefix(place: Path, start: Start) -> None:
    (place / "mounted_echo.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [environ['wsgi.input'].read()]\n",
        "utf-8",
    )
    running = start(mount=["/echo=mounted_echo:app"])
    assert get(running, "/echo/", method="POST", content=b"x" * 200_000).content == b"x" * 200_000


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("/static", "is not PREFIX=DIR"),
        ("/static=", "is not PREFIX=DIR"),
        ("static=public", "does not begin with a slash"),
        ("=public", "does not begin with a slash"),
        ("/=public", "--root"),
        ("//=public", "--root"),
        ("/a//b=public", "empty segment"),
        ("/a/../b=public", "not served"),
        ("/.git=public", "not served"),
        ("/a?b=public", "query"),
    ],
)
def test_a_value_that_means_nothing_is_refused(value: str, problem: str) -> None:
    with pytest.raises(UsageError, match="--mount") as raised:
        Config(mount=(value,))
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("mounts", "problem"),
    [
        (["/static=none"], "--mount /static=none: there is no such folder"),
        (["/static=public", "/static/=inner"], "--mount /static=inner: the prefix is given twice"),
        (["/static=public", "/%73tatic=inner"], "the prefix is given twice"),
        (["/api=no_such_module:app"], "--mount /api=no_such_module:app: cannot import no_such_module"),
        (["/api=mounted_site:none"], "--mount /api=mounted_site:none: cannot find none"),
        (["/api=mounted_site:create_app(x)"], "the arguments must be literals"),
        (["/api=mounted_site:create_app"], "create_app"),
    ],
)
def test_what_cannot_be_mounted_is_told_at_the_start(place: Path, mounts: list[str], problem: str) -> None:
    with pytest.raises((UsageError, StartError)) as raised:
        make_server(port=0, mount=mounts)
    assert problem in str(raised.value)
