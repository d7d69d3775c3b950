"""--cache-control, --header and --mime, as a client sees them."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from tests.apps import plain_app
from tests.client import ask
from tests.files.links import link
from tests.running import Start
from tpserver.errors import UsageError
from tpserver.files.file import File
from tpserver.files.folder import Folder
from tpserver.files.rules import FileRules, parse_header, parse_mime

IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_bytes(b"home")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "app.3f2a9c1b.js").write_bytes(b"1;")
    (tmp_path / "assets" / "style.css").write_bytes(b"a{}")
    (tmp_path / "assets" / "large.bin").write_bytes(bytes(100_000))
    (tmp_path / "model.glb").write_bytes(b"glTF")
    (tmp_path / "notes.wat").write_bytes(b"text")
    return tmp_path


def test_without_options_only_a_name_with_a_hash_gets_cache_control(root: Path, start: Start) -> None:
    running = start(root=root)
    assert ask(running, "/assets/app.3f2a9c1b.js").fields["cache-control"] == IMMUTABLE
    for target in ("/", "/assets/style.css", "/assets/large.bin", "/nothing.3f2a9c1b.js"):
        assert "cache-control" not in ask(running, target).fields


def test_cache_control_by_globs(root: Path, start: Start) -> None:
    running = start(root=root, cache_control=["*=max-age=60", "assets/**=max-age=600", "*.js=no-cache", "*.bin="])
    assert ask(running, "/").fields["cache-control"] == "max-age=60"
    assert ask(running, "/assets/style.css").fields["cache-control"] == "max-age=600"
    assert ask(running, "/assets/app.3f2a9c1b.js").fields["cache-control"] == "no-cache"
    assert "cache-control" not in ask(running, "/assets/large.bin").fields


def test_a_folder_is_asked_about_by_the_path_of_its_index(root: Path, start: Start) -> None:
    running = start(root=root, cache_control=["index.html=no-cache"])
    assert ask(running, "/").fields["cache-control"] == "no-cache"
    assert ask(running, "//index.html").fields["cache-control"] == "no-cache"


def test_fields_come_with_every_answer_about_the_file(root: Path, start: Start) -> None:
    running = start(root=root, header=("*=X-One:1", "**/*.bin=X-Two: two words"))
    whole = ask(running, "/assets/large.bin")
    assert (whole.status, whole.fields["x-one"], whole.fields["x-two"]) == (200, "1", "two words")
    part = ask(running, "/assets/large.bin", "Range: bytes=0-9")
    assert (part.status, part.fields["x-two"]) == (206, "two words")
    known = ask(running, "/assets/large.bin", f"If-None-Match: {whole.fields['etag']}")
    assert (known.status, known.fields["x-two"]) == (304, "two words")
    assert ask(running, "/assets/large.bin", method="HEAD").fields["x-two"] == "two words"
    assert "x-two" not in ask(running, "/").fields


def test_a_changed_file_keeps_its_fields(root: Path, start: Start) -> None:
    running = start(root=root, header=["*=X-One:1"])
    assert ask(running, "/assets/style.css").fields["x-one"] == "1"
    (root / "assets" / "style.css").write_bytes(b"b{color:red}")
    answer = ask(running, "/assets/style.css")
    assert (answer.content, answer.fields["x-one"]) == (b"b{color:red}", "1")


def test_an_application_gets_none_and_an_error_only_those_of_header(root: Path, start: Start) -> None:
    running = start(plain_app, root=root, header=["**=X-One:1"], cache_control=["**=max-age=60"])
    answer = ask(running, "/from/the/application")
    assert (answer.status, answer.fields["x-by"]) == (200, "application")
    assert not {"x-one", "cache-control"} & answer.fields.keys()
    alone = ask(start(root=root, header=["**=X-One:1"], cache_control=["**=max-age=60"]), "/nothing")
    assert (alone.status, alone.fields["x-one"]) == (404, "1")
    assert "cache-control" not in alone.fields


def test_media_types_of_ones_own(root: Path, start: Start) -> None:
    running = start(root=root, mime=["glb=model/vnd.ours", ".wat=text/wat", "css=text/css; charset=latin1"])
    assert ask(running, "/model.glb").fields["content-type"] == "model/vnd.ours"
    assert ask(running, "/notes.wat").fields["content-type"] == "text/wat; charset=utf-8"
    assert ask(running, "/assets/style.css").fields["content-type"] == "text/css; charset=latin1"
    assert ask(running, "/assets/large.bin").fields["content-type"] == "application/octet-stream"


def test_links_out_of_the_folder_are_followed_where_that_is_wanted(tmp_path: Path, start: Start) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside.txt").write_bytes(b"outside")
    link(tmp_path / "root" / "in.txt", tmp_path / "outside.txt")
    assert ask(start(root=tmp_path / "root"), "/in.txt").status == 404
    assert ask(start(root=tmp_path / "root", follow_links=True), "/in.txt").content == b"outside"


@pytest.mark.parametrize(
    "options",
    [
        {"cache_control": ["*.js"]},
        {"cache_control": "*=no-cache"},
        {"cache_control": [("*", "no-cache")]},
        {"header": ["*=Transfer-Encoding:chunked"]},
        {"header": ["*=X:a\r\nY: b"]},
        {"mime": ["wat"]},
        {"mime": [None]},
        {"index": "index.html"},
        {"index": ["a/b"]},
        {"vhost": [("a.example", "html")]},
        {"error_page": {404: "404.html"}},
        {"try_html": "yes"},
    ],
)
def test_what_cannot_be_is_a_wrong_usage(start: Start, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^--{next(iter(options)).replace('_', '-')}"):
        start(**options)


def test_a_compressed_variant_has_the_fields_of_its_file(root: Path, start: Start) -> None:
    script = root / "assets" / "app.3f2a9c1b.js"
    script.write_bytes(b"let a = 1;\n" * 300)
    (root / "assets" / "app.3f2a9c1b.js.gz").write_bytes(gzip.compress(script.read_bytes()))
    running = start(root=root, header=["*.js=X-One:1"])
    for lines, status in ((["Range: bytes=0-1"], 206), ([], 200)):
        answer = ask(running, "/assets/app.3f2a9c1b.js", "Accept-Encoding: gzip", *lines)
        assert (answer.status, answer.fields["content-encoding"]) == (status, "gzip")
        assert (answer.fields["cache-control"], answer.fields["x-one"]) == (IMMUTABLE, "1")
        assert answer.fields["vary"] == "Accept-Encoding"


def test_a_file_that_changes_before_it_is_opened_keeps_its_fields(root: Path) -> None:
    folder = Folder(root, rules=FileRules([parse_header("*=X-One:1")], [parse_mime("bin=x/y")]))
    file = folder.find("/assets/large.bin", 1)
    assert isinstance(file, File)
    (root / "assets" / "large.bin").write_bytes(bytes(200_000))
    descriptor, opened = folder.open(file)
    os.close(descriptor)
    assert (opened.size, opened.fields, opened.media_type) == (200_000, (("X-One", "1"),), "x/y")
