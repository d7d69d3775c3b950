"""The rules by which files get their fields and media types: how they are written, and which one decides."""

from __future__ import annotations

import pytest

from tpserver.errors import UsageError
from tpserver.files.rules import FileRules, parse_cache_control, parse_header, parse_mime

IMMUTABLE = ("Cache-Control", "public, max-age=31536000, immutable")


def rules(*texts: str) -> FileRules:
    """Each text is what --header takes, or --cache-control where it names no field."""
    return FileRules([parse_header(text) if ":" in text else parse_cache_control(text) for text in texts])


def test_without_rules_a_file_has_no_fields_of_its_own() -> None:
    assert FileRules().fields("index.html") == []


def test_a_name_with_a_hash_is_immutable() -> None:
    assert FileRules().fields("assets/app.3f2a9c1b.js") == [IMMUTABLE]


def test_a_hash_in_the_name_of_the_folder_says_nothing_about_its_files() -> None:
    assert FileRules().fields("app.3f2a9c1b.js/readme.txt") == []


@pytest.mark.parametrize("text", ["*.js=no-cache", "*.js=Cache-Control:no-cache"])
def test_a_rule_wins_over_the_hash(text: str) -> None:
    assert rules(text).fields("app.3f2a9c1b.js") == [("Cache-Control", "no-cache")]


def test_the_last_rule_that_takes_the_path_decides() -> None:
    both = rules("*=max-age=60", "assets/**=max-age=600", "*.txt=no-store")
    assert both.fields("index.html") == [("Cache-Control", "max-age=60")]
    assert both.fields("assets/app.js") == [("Cache-Control", "max-age=600")]
    assert both.fields("assets/a.txt") == [("Cache-Control", "no-store")]


def test_fields_of_different_names_come_together_and_names_know_no_case() -> None:
    some = rules("*=X-One: 1", "*=X-Two:2", "*.css=x-one:3")
    assert some.fields("a.html") == [("X-One", "1"), ("X-Two", "2")]
    assert some.fields("a.css") == [("x-one", "3"), ("X-Two", "2")]


@pytest.mark.parametrize("text", ["*.js=", "*.js=Cache-Control:", "*.js= \t "])
def test_an_empty_value_sends_no_such_field(text: str) -> None:
    assert rules("*=max-age=60", text).fields("app.3f2a9c1b.js") == []


def test_the_first_equals_sign_ends_the_glob_and_the_first_colon_the_name() -> None:
    assert rules("*.html=Link:<https://a.example/x?y=z>; rel=preload").fields("a.html") == [
        ("Link", "<https://a.example/x?y=z>; rel=preload")
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no-cache", "is not GLOB=VALUE"),
        ("=no-cache", "a glob is missing"),
        ("***=no-cache", "is no glob"),
        ("*=no\r\nX-Evil: 1", "is not visible ASCII"),
        ("*=no\0", "is not visible ASCII"),
        ("*=gr\u00fcn", "is not visible ASCII"),
        ("*=\x7f", "is not visible ASCII"),
    ],
)
def test_what_cache_control_does_not_take(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_cache_control(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("X-One:1", "is not GLOB=NAME:VALUE"),
        ("*=X-One", "is not GLOB=NAME:VALUE"),
        ("*=:1", "'' is no field name"),
        ("*=X One:1", "is no field name"),
        ("*=X-One :1", "is no field name"),
        ("*=X\u00fc:1", "is no field name"),
        ("*=X:a\nb", "is not visible ASCII"),
        ("=X:1", "a glob is missing"),
        ("*=Connection:close", "cannot be set: it is a hop-by-hop field"),
        ("*=TRANSFER-ENCODING:chunked", "cannot be set: it is a hop-by-hop field"),
        ("*=Upgrade:h2c", "cannot be set: it is a hop-by-hop field"),
        ("*=Content-Length:5", "the server counts the bytes"),
        ("*=content-type:text/plain", "use --mime"),
        ("*=Content-Encoding:gzip", "chooses the coding"),
        ("*=ETag:x", "derives it from the file"),
        ("*=Last-Modified:x", "reads it from the file"),
        ("*=Date:x", "reads the clock"),
        ("*=Server:x", "its own name"),
    ],
)
def test_what_header_does_not_take(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_header(text)


def types(*texts: str) -> FileRules:
    return FileRules(media=[parse_mime(text) for text in texts])


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("wat=text/wat", "a.wat", "text/wat; charset=utf-8"),
        (".wat=text/wat", "a.wat", "text/wat; charset=utf-8"),
        ("WAT=text/wat", "a.Wat", "text/wat; charset=utf-8"),
        ("wat=TEXT/wat", "a.wat", "TEXT/wat; charset=utf-8"),
        ("glb=model/gltf-binary", "x/y.glb", "model/gltf-binary"),
        ("js=application/javascript", "a.js", "application/javascript"),
        ("txt=text/plain; charset=iso-8859-1", "a.txt", "text/plain; charset=iso-8859-1"),
        ('txt=text/plain;Charset="x y"', "a.txt", 'text/plain;Charset="x y"'),
        ("html= text/html ", "a.html", "text/html; charset=utf-8"),
        ("gz=application/x-gzip", "a.tar.gz", "application/x-gzip"),
        ("wat=text/wat", "a.css", "text/css; charset=utf-8"),
        ("wat=text/wat", "wat", "text/wat; charset=utf-8"),
        (".wat=text/wat", "wat", "application/octet-stream"),
        ("wat=text/wat", "a.wat/data", "application/octet-stream"),
        ("wat=text/wat", "awat", "application/octet-stream"),
        ("LICENSE=text/html", "docs/LICENSE", "text/html; charset=utf-8"),
        ("LICENSE=text/html", "docs/LICENSES", "application/octet-stream"),
        ("tar.gz=application/x-tgz", "a.tar.gz", "application/x-tgz"),
        ("tar.gz=application/x-tgz", "a.gz", "application/gzip"),
        ("*.tar.gz=application/x-tgz", "x/a.tar.gz", "application/x-tgz"),
        ("docs/*=text/html", "docs/a", "text/html; charset=utf-8"),
        ("docs/*=text/html", "docs/a/b", "application/octet-stream"),
        ("/data/**=text/html", "data/a/b", "text/html; charset=utf-8"),
        (".well-known/x=application/json", ".well-known/x", "application/json"),
    ],
)
def test_a_media_type_of_ones_own(text: str, path: str, expected: str) -> None:
    assert types(text).content_type(path) == expected


def test_the_last_media_type_of_an_extension_decides() -> None:
    assert types("a=text/one", "a=text/two").content_type("x.a") == "text/two; charset=utf-8"


_GBK = "<meta charset='gbk'><title>\u4e2d\u6587".encode("gbk")
_SHIFT_JIS = "\u65e5\u672c\u8a9e".encode("shift_jis")
_UTF_8 = "\u65e5\u672c\u8a9e \u00e4 \U0001f600".encode()


@pytest.mark.parametrize(
    ("sample", "charset"),
    [
        (b"", "utf-8"),
        (b"plain", "utf-8"),
        (_UTF_8, "utf-8"),
        (_UTF_8[:-1], "utf-8"),  # the sample ends in the middle of a character
        (_UTF_8[:-3], "utf-8"),
        (b"\x1b[31mred\x1b(B\x1b[m", "utf-8"),  # colours of a terminal
        (_GBK, None),
        (_SHIFT_JIS, None),
        ("\u00e4 ".encode("latin-1"), None),
        (b"\xff\xfeh\0i\0", None),  # UTF-16
        ("\u65e5\u672c".encode("iso2022_jp"), None),
        ("\ud55c\uae00".encode("iso2022_kr"), None),
        (b"\xed\xa0\x80", None),  # a surrogate
        (b"\xc0\xaf ", None),
    ],
)
def test_utf_8_is_claimed_where_it_is_true(sample: bytes, charset: str | None) -> None:
    expected = "text/html" if charset is None else f"text/html; charset={charset}"
    assert FileRules().content_type("a.html", sample) == expected
    assert FileRules(charset="none").content_type("a.html", sample) == "text/html"
    assert FileRules(charset="gbk").content_type("a.html", sample) == "text/html; charset=gbk"
    assert FileRules(charset="gbk").content_type("a.png", sample) == "image/png"


@pytest.mark.parametrize("charset", ["", "utf 8", "a\r\nb", "utf-8; x", "\u00e4"])
def test_what_is_no_name_of_a_charset_is_refused(charset: str) -> None:
    with pytest.raises(UsageError, match="--charset"):
        FileRules(charset=charset)


@pytest.mark.parametrize(
    "text",
    [
        "wat",
        "=text/plain",
        ".=text/plain",
        "wat=",
        "wat=text",
        "wat=text/",
        "wat=/plain",
        "wat=text/plain;",
        "a b=x/y",
        "wat=text/plain\r\nX: y",
        "wat=text/pl ain",
        "wat=text/plain; charset",
        "wat=te\u00dft/plain",
    ],
)
def test_what_mime_does_not_take(text: str) -> None:
    with pytest.raises(ValueError, match=r"media type|EXT=TYPE|no extension|glob"):
        parse_mime(text)
