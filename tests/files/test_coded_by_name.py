"""Files in a content coding that are asked for by their own name: Unity builds, vector tiles, SVG pictures."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.client import ask
from tests.running import Start
from tpserver.files.rules import parse_encoded

CONTENT = b"content " * 100
GZIP = gzip.compress(CONTENT, mtime=0)
ZSTD = b"\x28\xb5\x2f\xfd rest of a frame"
BROTLI = b"\x1b\x0f any bytes"


@pytest.mark.parametrize(
    ("name", "data", "media", "coding"),
    [
        ("Build/f.framework.js.br", BROTLI, "text/javascript", "br"),
        ("Build/f.wasm.br", BROTLI, "application/wasm", "br"),
        ("Build/f.data.gz", GZIP, "application/octet-stream", "gzip"),
        ("Build/f.symbols.json.gz", GZIP, "application/json", "gzip"),
        ("app.mjs.zst", ZSTD, "text/javascript", "zstd"),
        ("APP.CSS.GZ", GZIP, "text/css", "gzip"),
        ("1/2/3.pbf", GZIP, "application/x-protobuf", "gzip"),
        ("1/2/3.mvt", GZIP, "application/vnd.mapbox-vector-tile", "gzip"),
        ("a.svgz", GZIP, "image/svg+xml", "gzip"),
        # Not what the name says.
        ("app.js.gz", CONTENT, "application/gzip", None),
        ("app.js.zst", GZIP, "application/zstd", None),
        ("app.js.br", b"", "application/octet-stream", None),
        ("1/2/3.pbf", CONTENT, "application/x-protobuf", None),
        ("a.svgz", b"<svg/>", "image/svg+xml", None),
        # What people download to keep it as it is.
        ("data.csv.gz", GZIP, "application/gzip", None),
        ("dump.sql.zst", ZSTD, "application/zstd", None),
        ("a.tar.gz", GZIP, "application/gzip", None),
        ("page.html.gz", GZIP, "application/gzip", None),
        ("js.gz", GZIP, "application/gzip", None),
    ],
)
def test_the_type_is_that_of_the_inner_name(
    start: Start, tmp_path: Path, name: str, data: bytes, media: str, coding: str | None
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    answer = ask(start(root=str(tmp_path)), f"/{name}")
    assert (answer.fields["content-type"], answer.fields.get("content-encoding")) == (media, coding)
    assert answer.content == data


def test_a_glob_tells_the_coding_of_others(start: Start, tmp_path: Path) -> None:
    for name in ("a.json.gz", "b.json.gz", "tile", "c.js.gz"):
        (tmp_path / name).write_bytes(GZIP)
    running = start(root=str(tmp_path), encoded=["*.json.gz=gzip", "tile=gzip", "b.*=none", "*.js.gz=none"])
    seen = {name: ask(running, f"/{name}").fields for name in ("a.json.gz", "b.json.gz", "tile", "c.js.gz")}
    assert {name: fields.get("content-encoding") for name, fields in seen.items()} == {
        "a.json.gz": "gzip",
        "b.json.gz": None,
        "tile": "gzip",
        "c.js.gz": None,
    }
    assert seen["a.json.gz"]["content-type"] == "application/json"
    assert seen["b.json.gz"]["content-type"] == "application/gzip"


@pytest.mark.parametrize("text", ["a", "=gzip", "*.x=deflate", "*.x="])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"GLOB=CODING|glob"):
        parse_encoded(text)


def test_the_plain_file_is_still_sent_in_its_coding(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app.js").write_bytes(CONTENT)
    (tmp_path / "app.js.gz").write_bytes(GZIP)
    running = start(root=str(tmp_path))
    coded = ask(running, "/app.js", "Accept-Encoding: gzip")
    assert (coded.fields["content-encoding"], coded.content) == ("gzip", GZIP)
    assert coded.fields["content-type"] == "text/javascript; charset=utf-8"
    assert ask(running, "/app.js").content == CONTENT
