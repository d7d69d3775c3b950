"""Lines of the access log, byte for byte: plain values, and those that clients send to do harm."""

from __future__ import annotations

from typing import Any

import pytest

from tpserver.http.head import Head
from tpserver.http.section import FieldSection
from tpserver.logs.lines import LONGEST, combined

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
# Every character that a value can have: a value is bytes, decoded as ISO-8859-1.
EVERY = "".join(map(chr, range(0x100)))
EVERY_WRITTEN = (
    r"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
    r"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"
    r" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f"
    r"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f"
    r"\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f"
    r"\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf"
    r"\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf"
    r"\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf"
    r"\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf"
    r"\xe0\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef"
    r"\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff"
)
BEGINNING = "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000]"

# target, Referer, User-Agent; and what follows the time in the line, without its end.
TABLE: tuple[tuple[str, str | None, str | None, str], ...] = (
    ("/", None, None, '"GET / HTTP/1.1" 200 5 "-" "-"'),
    ("/", "", "", '"GET / HTTP/1.1" 200 5 "" ""'),
    ("/a?b=c", "http://h/", None, '"GET /a?b=c HTTP/1.1" 200 5 "http://h/" "-"'),
    ("/a?b=c", "http://h/", BROWSER, f'"GET /a?b=c HTTP/1.1" 200 5 "http://h/" "{BROWSER}"'),
    ("/~a|b{c}%22", "'", "~", '''"GET /~a|b{c}%22 HTTP/1.1" 200 5 "'" "~"'''),
    ('/"', None, BROWSER, rf'"GET /\" HTTP/1.1" 200 5 "-" "{BROWSER}"'),
    ("/\\", "http://h/", "x", r'"GET /\\ HTTP/1.1" 200 5 "http://h/" "x"'),
    ("/", '"', None, r'"GET / HTTP/1.1" 200 5 "\"" "-"'),
    ("/", "\\", "x", r'"GET / HTTP/1.1" 200 5 "\\" "x"'),
    ("/", '\\" 200 5 "-" "x', "x", r'"GET / HTTP/1.1" 200 5 "\\\" 200 5 \"-\" \"x" "x"'),
    ("/", None, 'x" "-"\n', r'"GET / HTTP/1.1" 200 5 "-" "x\" \"-\"\x0a"'),
    ("/", None, "a\tb", r'"GET / HTTP/1.1" 200 5 "-" "a\x09b"'),
    ("/", None, "\r\n", r'"GET / HTTP/1.1" 200 5 "-" "\x0d\x0a"'),
    ("/", None, "\x1b[2J\x7f\x9b", r'"GET / HTTP/1.1" 200 5 "-" "\x1b[2J\x7f\x9b"'),
    ("/", "\xc3\xa9", "caf\xe9", r'"GET / HTTP/1.1" 200 5 "\xc3\xa9" "caf\xe9"'),
    ("/", EVERY, None, f'"GET / HTTP/1.1" 200 5 "{EVERY_WRITTEN}" "-"'),
    ("/", None, EVERY, f'"GET / HTTP/1.1" 200 5 "-" "{EVERY_WRITTEN}"'),
    ("/" + EVERY, "x", "x", f'"GET /{EVERY_WRITTEN} HTTP/1.1" 200 5 "x" "x"'),
)


@pytest.mark.parametrize(("target", "referer", "agent", "written"), TABLE)
def test_a_line_is_written_as_ever(target: str, referer: str | None, agent: str | None, written: str) -> None:
    fields: dict[str, Any] = {"HTTP_REFERER": referer, "HTTP_USER_AGENT": agent}
    head = Head("GET", "/", FieldSection({name: value for name, value in fields.items() if value is not None}))
    head.target = target  # also what no parser would pass
    assert combined(784111777.9, ("192.0.2.1", 50000), head, 200, 5) == f"{BEGINNING} {written}\n"


@pytest.mark.parametrize("code", range(0x100))
def test_no_character_is_written_as_it_is_that_could_end_a_value(code: int) -> None:
    head = Head("GET", "/", FieldSection({"HTTP_USER_AGENT": f"a{chr(code)}b"}))
    line = combined(784111777.9, ("192.0.2.1", 50000), head, 200, 5)
    value = line.removeprefix(f'{BEGINNING} "GET / HTTP/1.1" 200 5 "-" "').removesuffix('"\n')
    plain = 0x20 <= code < 0x7F and chr(code) not in '"\\'
    assert (value == f"a{chr(code)}b") == plain
    assert value in {f"a{chr(code)}b", f"a\\{chr(code)}b", f"a\\x{code:02x}b"}
    assert value.isascii()
    assert value.isprintable()


@pytest.mark.parametrize("value", ["a" * 60_000, "\x80" * 60_000, '"' * 60_000], ids=["plain", "bytes", "quotes"])
def test_a_long_value_is_cut_before_it_is_escaped(value: str) -> None:
    cut = value[:LONGEST].translate({0x80: "\\x80", ord('"'): '\\"'}) + "..."
    section = FieldSection({"HTTP_REFERER": value, "HTTP_USER_AGENT": value}, "HTTP/1.1")
    line = combined(784111777.9, ("192.0.2.1", 50000), Head("GET", "/", section), 200, 5)
    assert line == f'{BEGINNING} "GET / HTTP/1.1" 200 5 "{cut}" "{cut}"\n'
    line = combined(784111777.9, ("192.0.2.1", 50000), Head("GET", "/" + "a" * 60_000, section), 200, 5)
    assert line.startswith(f'{BEGINNING} "GET /' + "a" * (LONGEST - 5) + '..." 200 5 ')
    assert len(line) < 12 * LONGEST
