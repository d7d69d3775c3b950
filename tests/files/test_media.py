"""The media type of a file by its name: the same on every machine."""

from __future__ import annotations

import mimetypes

import pytest

from tpserver.files import media
from tpserver.files.rules import FileRules


def content_type(name: str) -> str:
    """Of an empty file of that name."""
    return FileRules().content_type(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("INDEX.HTML", "text/html; charset=utf-8"),
        ("a.htm", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.map", "application/json"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.xml", "application/xml"),
        ("a.xhtml", "application/xhtml+xml"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("a.jpeg", "image/jpeg"),
        ("a.gif", "image/gif"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("favicon.ico", "image/vnd.microsoft.icon"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.pdf", "application/pdf"),
        ("a.mp4", "video/mp4"),
        ("a.zip", "application/zip"),
    ],
)
def test_what_a_browser_needs_to_be_told(name: str, expected: str) -> None:
    assert content_type(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.7z", "application/x-7z-compressed"),
        ("a.atom", "application/atom+xml"),
        ("a.avif", "image/avif"),
        ("a.bz2", "application/x-bzip2"),
        ("a.cjs", "text/javascript; charset=utf-8"),
        ("a.conf", "text/plain; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.eot", "application/vnd.ms-fontobject"),
        ("a.epub", "application/epub+zip"),
        ("a.flac", "audio/flac"),
        ("a.geojson", "application/geo+json"),
        ("a.glb", "model/gltf-binary"),
        ("a.gltf", "model/gltf+json"),
        ("a.gz", "application/gzip"),
        ("a.heic", "image/heic"),
        ("a.heif", "image/heif"),
        ("a.ico", "image/vnd.microsoft.icon"),
        ("a.ics", "text/calendar; charset=utf-8"),
        ("a.ini", "text/plain; charset=utf-8"),
        ("a.jar", "application/java-archive"),
        ("a.jfif", "image/jpeg"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.jsonl", "application/jsonl"),
        ("a.jxl", "image/jxl"),
        ("a.kml", "application/vnd.google-earth.kml+xml"),
        ("a.log", "text/plain; charset=utf-8"),
        ("a.m3u8", "application/vnd.apple.mpegurl"),
        ("a.m4a", "audio/mp4"),
        ("a.m4v", "video/mp4"),
        ("a.map", "application/json"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.mid", "audio/midi"),
        ("a.midi", "audio/midi"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.mkv", "video/matroska"),
        ("a.mp4", "video/mp4"),
        ("a.mpd", "application/dash+xml"),
        ("a.odp", "application/vnd.oasis.opendocument.presentation"),
        ("a.ods", "application/vnd.oasis.opendocument.spreadsheet"),
        ("a.odt", "application/vnd.oasis.opendocument.text"),
        ("a.oga", "audio/ogg"),
        ("a.ogg", "audio/ogg"),
        ("a.ogv", "video/ogg"),
        ("a.opus", "audio/opus"),
        ("a.otf", "font/otf"),
        ("a.pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
        ("a.rar", "application/vnd.rar"),
        ("a.rss", "application/rss+xml"),
        ("a.rtf", "application/rtf"),
        ("a.sql", "application/sql"),
        ("a.svg", "image/svg+xml"),
        ("a.svgz", "image/svg+xml"),
        ("a.tgz", "application/gzip"),
        ("a.toml", "application/toml"),
        ("a.ts", "video/mp2t"),
        ("a.ttf", "font/ttf"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.vtt", "text/vtt; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.weba", "audio/webm"),
        ("a.webm", "video/webm"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.webp", "image/webp"),
        ("a.woff", "font/woff"),
        ("a.woff2", "font/woff2"),
        ("a.xhtml", "application/xhtml+xml"),
        ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("a.xml", "application/xml"),
        ("a.xz", "application/x-xz"),
        ("a.yaml", "application/yaml"),
        ("a.yml", "application/yaml"),
        ("a.zip", "application/zip"),
        ("a.zst", "application/zstd"),
    ],
)
def test_no_version_of_python_decides_what_is_served_every_day(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    monkeypatch.setattr(media, "_built_in", dict)
    assert content_type(name) == expected


@pytest.mark.parametrize(
    "name", ["", "a", "a.", ".html", "READMETOO", "a.nosuchextension", "client", "other/client", "a.html.nosuch"]
)
def test_an_unknown_name_is_just_bytes(name: str) -> None:
    assert content_type(name) == ("text/html; charset=utf-8" if name == ".html" else "application/octet-stream")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tar.gz", "application/gzip"),
        ("a.html.gz", "application/gzip"),
        ("a.svg.bz2", "application/x-bzip2"),
        ("a.tar.xz", "application/x-xz"),
        ("a.js.zst", "application/zstd"),
    ],
)
def test_a_compressed_file_is_served_as_what_it_is(name: str, expected: str) -> None:
    assert content_type(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "data:,a.html",
        "http://[a.html",
        "http:a.html",
        "c:a.html",
        "a b.html",
        "\u00e4.html",
        "\udcff.html",
        "[a.html",
    ],
)
def test_a_name_is_a_name_and_no_url(name: str) -> None:
    assert content_type(name) == "text/html; charset=utf-8"


def test_what_the_machine_thinks_of_an_extension_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # As a Windows registry does in which some program has registered itself for .js.
    monkeypatch.setattr(mimetypes, "_db", mimetypes.MimeTypes())
    mimetypes.add_type("text/plain", ".js")
    assert mimetypes.guess_type("a.js")[0] == "text/plain"
    assert content_type("a.js") == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jsonld", "application/ld+json"),
        ("a.usdz", "model/vnd.usdz+zip"),
        ("a.apk", "application/vnd.android.package-archive"),
        ("a.mobileconfig", "application/x-apple-aspen-config"),
        ("a.pkpass", "application/vnd.apple.pkpass"),
        ("a.xpi", "application/x-xpinstall"),
        ("a.torrent", "application/x-bittorrent"),
        ("a.gpx", "application/gpx+xml"),
        ("a.ttl", "text/turtle; charset=utf-8"),
        ("a.m4s", "video/iso.segment"),
        ("a.apng", "image/apng"),
        ("a.ass", "text/x-ssa; charset=utf-8"),
        ("a.3gp", "video/3gpp"),
        ("a.3g2", "video/3gpp2"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.woff", "font/woff"),
        ("a.deb", "application/vnd.debian.binary-package"),
        ("a.MOV", "video/quicktime"),
        ("apple-app-site-association", "application/json"),
        (".well-known/apple-app-site-association", "application/json"),
        (".well-known/matrix/client", "application/json"),
        (".well-known/matrix/server", "application/json"),
        (".well-known/openid-configuration", "application/json"),
        (".well-known/webfinger", "application/jrd+json"),
        (".well-known/host-meta", "application/xrd+xml"),
        (".well-known/assetlinks.json", "application/json"),
        (".well-known/security.txt", "text/plain; charset=utf-8"),
        ("LICENSE", "text/plain; charset=utf-8"),
        ("docs/README", "text/plain; charset=utf-8"),
        ("debian/Release", "text/plain; charset=utf-8"),
        ("Makefile", "text/plain; charset=utf-8"),
    ],
)
def test_what_programs_expect_of_a_name(name: str, expected: str) -> None:
    assert content_type(name) == expected
