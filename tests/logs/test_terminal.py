"""Lines on stderr give a terminal no commands, whatever a client has sent that an exception repeats."""

from __future__ import annotations

import logging
import sys

import pytest

from tpserver.logs.server_log import SafeFormatter


def line(text: str) -> str:
    try:
        raise ValueError(text)
    except ValueError:
        record = logging.LogRecord("tpserver", logging.ERROR, "", 0, "GET %s failed", (text,), sys.exc_info())
    return SafeFormatter("%(message)s").format(record)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb\x08\x7f\0", "a\\rb\\x08\\x7f\\x00"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("\u00e4\u65e5 ok", "\u00e4\u65e5 ok"),
    ],
)
def test_control_characters_of_messages_and_tracebacks_are_escaped(raw: str, shown: str) -> None:
    text = line(raw)
    assert text.startswith(f"GET {shown} failed\nTraceback (most recent call last):\n")
    assert text.endswith(f"ValueError: {shown}")
    assert raw == shown or raw not in text
