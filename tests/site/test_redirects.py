"""--redirect: paths that have moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps import plain_app
from tests.client import ask
from tests.running import Start
from tpserver.config import Config
from tpserver.errors import UsageError

RULES = [
    "/old.html=/new.html",
    "/a b=/x y",
    "/caf%C3%A9=/bar",
    "/blog/**=https://blog.example/**",
    "/docs/v1/*.html=/docs/",
    "/moved/**=/here/**",
    "/top/**=/**",
    "/search=/find?lang=de",
    "/part=/whole.html#part",
    "/**/deep.txt=/found",
]


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/old.html", "/new.html"),
        ("/old.html?a=1&b", "/new.html?a=1&b"),
        ("/%6Fld.html", "/new.html"),
        ("//./old.html", "/new.html"),
        ("/a%20b", "/x%20y"),
        ("/caf%c3%a9", "/bar"),
        ("/blog/2024/post?x=1", "https://blog.example/2024/post?x=1"),
        ("/blog/", "https://blog.example/"),
        ("/blog/a/", "https://blog.example/a/"),
        ("/docs/v1/intro.html", "/docs/"),
        ("/moved/%C3%BC/a%2Fb%3F", "/here/%C3%BC/a/b%3F"),
        ("/search?q=x", "/find?lang=de&q=x"),
        ("/part?q=x", "/whole.html?q=x#part"),
        ("/1/2/3/deep.txt", "/found"),
        ("/old.html?a=\"'<b>", "/new.html?a=%22'%3Cb%3E"),
    ],
)
def test_a_path_leads_where_its_rule_says(start: Start, tmp_path: Path, target: str, location: str) -> None:
    answer = ask(start(root=tmp_path, redirect=RULES), target)
    assert (answer.status, answer.fields["location"]) == (302, location)


@pytest.mark.parametrize("target", ["/old.html/", "/old", "/blog", "/docs/v1/a/b.html", "/blog/../x", "/Old.html"])
def test_other_paths_lead_nowhere(start: Start, tmp_path: Path, target: str) -> None:
    assert ask(start(root=tmp_path, redirect=RULES), target).status == 404


@pytest.mark.parametrize(
    "target", ["/top//evil.example/", "/top/%2F%2Fevil.example/", "/top/%5Cevil.example", "/top/./%2Fevil.example"]
)
def test_no_path_leads_to_another_host(start: Start, tmp_path: Path, target: str) -> None:
    location = ask(start(root=tmp_path, redirect=RULES), target).fields["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    "target", ["/moved/%0D%0ASet-Cookie:a=b", "/moved/x?%0d%0aSet-Cookie:a", "/moved/%C2%85%E2%80%A8"]
)
def test_no_path_makes_a_field(start: Start, tmp_path: Path, target: str) -> None:
    answer = ask(start(root=tmp_path, redirect=RULES), target)
    assert answer.status == 302
    assert "set-cookie" not in answer.fields
    assert answer.fields["location"].isascii()


def test_it_comes_before_files_and_applications(start: Start, tmp_path: Path) -> None:
    (tmp_path / "old.html").write_bytes(b"file")
    running = start(
        plain_app, root=tmp_path, redirect=["/old.html=/new", "/app/**=/new", "/m/x=/new"], mount=[f"/m={tmp_path}"]
    )
    for target in ("/old.html", "/app/1", "/m/x"):
        assert ask(running, target).fields["location"] == "/new"
    assert ask(running, "/other").status == 200


def test_the_first_rule_decides_and_none_leads_in_a_circle(start: Start, tmp_path: Path) -> None:
    (tmp_path / "down.html").write_bytes(b"back soon")
    running = start(root=tmp_path, redirect=["/a=/b", "/**=/down.html"])
    assert ask(running, "/a").fields["location"] == "/b"
    assert ask(running, "/b/c").fields["location"] == "/down.html"
    assert ask(running, "/down.html?x").content == b"back soon"


def test_other_methods_are_answered_as_without_it(start: Start, tmp_path: Path) -> None:
    running = start(plain_app, root=tmp_path, redirect=["/old=/new"])
    assert ask(running, "/old", method="HEAD").status == 302
    assert ask(running, "/old", method="POST", content=b"x").status == 200


def test_its_page_links_to_the_target(start: Start, tmp_path: Path) -> None:
    page = ask(start(root=tmp_path, redirect=["/old=/new?a=1"]), "/old?b=2", "Accept: text/html").content
    assert b'href="/new?a=1&amp;b=2"' in page


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("/old", "is not FROM=TO"),
        ("/old=", "is not FROM=TO"),
        ("=/new", "is not FROM=TO"),
        ("old=/new", "is not a path"),
        ("/old=new", "neither a path"),
        ("/old=javascript:alert(1)", "neither a path"),
        ("/old=https://", "neither a path"),
        ("/old=https://bücher.example/", "xn--"),
        ("/old=/a\r\nX: 1", "control character"),
        ("/old=/old", "to itself"),
        ("/old=/new/**", "ends in /**"),
        ("/**/a/**=/new/**", "ends in /**"),
        ("/a**=/new", "glob"),
    ],
)
def test_a_value_that_means_nothing_is_refused(value: str, problem: str) -> None:
    with pytest.raises(UsageError, match="--redirect") as raised:
        Config(redirect=(value,))
    assert problem in str(raised.value)
