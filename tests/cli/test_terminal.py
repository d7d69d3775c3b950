"""What a person at a terminal sees: colours where they are wanted, and addresses below each other."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.console import get, tpserver
from tpserver.config import Config
from tpserver.greeting import greeting
from tpserver.logs.lines import with_colours
from tpserver.logs.server_log import ColouredFormatter
from tpserver.system import network
from tpserver.system.terminal import has_colours

posix_terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")


def seen_at_terminal(site: Path, env: dict[str, str]) -> str:
    """What a terminal gets of a start, two requests and the end."""
    ours, theirs = os.openpty()
    text = ""
    how = {"stdout": theirs, "stderr": theirs, "env": {"TERM": "xterm", "NO_COLOR": "", **env}}
    with tpserver("--host", "0.0.0.0", cwd=site, **how) as console:
        os.close(theirs)
        while "Ctrl-C" not in text:
            text += os.read(ours, 10_000).decode()
        port = re.search(r"127\.0\.0\.1:(\d+)/", text)
        assert port is not None, text
        assert get(f"http://127.0.0.1:{port[1]}/") == "home"
        console.process.send_signal(signal.SIGINT)
        while "stopped" not in text:
            text += os.read(ours, 10_000).decode()
        assert console.process.wait(20) == 0
    os.close(ours)
    return text


@posix_terminal
def test_a_terminal_has_colours(site: Path) -> None:
    text = seen_at_terminal(site, {})
    assert re.search(r"\x1b\[36mhttp://127\.0\.0\.1:\d+/\x1b\[0m", text)
    assert '"GET / HTTP/1.1" \x1b[32m200\x1b[0m 4 ' in text
    assert "\x1b[33mWARNING\x1b[0m everyone who can reach" in text


@posix_terminal
@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colours_gets_none(env: dict[str, str], site: Path) -> None:
    text = seen_at_terminal(site, env)
    assert "\x1b" not in text
    assert '"GET / HTTP/1.1" 200 4 ' in text


def test_a_file_or_a_closed_stream_has_no_colours() -> None:
    closed = io.StringIO()
    closed.close()
    assert [has_colours(stream) for stream in (io.StringIO(), closed, None)] == [False] * 3


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('h - - [t] "GET / HTTP/1.1" 404 9 "-" "a"\n', 'h - - [t] "GET / HTTP/1.1" \x1b[33m404\x1b[0m 9 "-" "a"\n'),
        ('h - - [t] "-" 503 - "-" "-"\n', 'h - - [t] "-" \x1b[31m503\x1b[0m - "-" "-"\n'),
        (r'h - - [t] "GET /\" 200 5 HTTP/1.1" 304 - "-" "-"', None),
    ],
)
def test_the_status_is_in_the_colour_of_its_class(line: str, expected: str | None) -> None:
    assert with_colours(line) == (expected or line.replace("304", "\x1b[36m304\x1b[0m"))


@pytest.mark.parametrize("level", ["INFO", "WARNING", "ERROR"])
def test_messages_of_all_levels_begin_in_one_column(level: str) -> None:
    record = logging.LogRecord("tpserver", getattr(logging, level), "", 0, "the text\x1b[2J", None, None)
    text = ColouredFormatter("%(asctime)s %(levelname)s %(message)s").format(record)
    plain = re.sub(r"\x1b\[\d+m", "", text)
    assert plain.index("the text") == len("2026-01-01 00:00:00,000 WARNING ")
    assert "\x1b[2J" not in text


# -- addresses


def test_all_addresses_that_other_devices_can_use_are_below_each_other() -> None:
    others = ["http://192.0.2.7:8000/", "http://198.51.100.3:8000/", "http://[fd00::2]:8000/"]
    text = greeting(Config(root="."), None, ["http://127.0.0.1:8000/", "http://[::1]:80/", "unix:x"], others)
    first, *rest = text.splitlines()
    assert first.endswith(" at http://127.0.0.1:8000/, http://[::1]:80/ and unix:x (Ctrl-C stops it)")
    assert rest == [
        "  other devices: http://192.0.2.7:8000/",
        "                 http://198.51.100.3:8000/",
        "                 http://[fd00::2]:8000/",
    ]


def test_each_address_of_the_network_is_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = ["127.0.0.1", "192.0.2.7", "169.254.3.4", "198.51.100.3", "192.0.2.7"]
    monkeypatch.setattr(network, "_ipv4_addresses", lambda: interfaces)
    monkeypatch.setattr(network, "_way_out", lambda family, beyond: "198.51.100.3")
    assert network.reachable_at("0.0.0.0") == ["198.51.100.3", "192.0.2.7"]
    monkeypatch.setattr(network, "_way_out", lambda family, beyond: "fd00::2" if ":" in beyond else "")
    assert network.reachable_at("::") == ["192.0.2.7", "198.51.100.3", "fd00::2"]
    assert network.reachable_at("192.0.2.7") == []


def test_the_addresses_of_this_machine_can_be_bound() -> None:
    for address in network.reachable_at("0.0.0.0"):
        with socket.socket() as sock:
            sock.bind((address, 0))
