"""The access log: a line that every log reader can read for each request, whatever a client puts into it."""

from __future__ import annotations

import io
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client import ask, exchange, request
from tests.running import Running, Start
from tpserver.http.head import Head
from tpserver.http.section import FieldSection
from tpserver.logs.access_log import AccessLog, combined

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
LINE = re.compile(
    r"(?P<host>\S+) - - \[(?P<when>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\] "
    rf"{_QUOTED.replace('(', '(?P<request>', 1)} (?P<status>\d{{3}}) (?P<length>\d+|-) "
    rf"{_QUOTED.replace('(', '(?P<referer>', 1)} {_QUOTED.replace('(', '(?P<agent>', 1)}"
)


def read(line: str) -> dict[str, str]:
    """A line as a log reader sees it."""
    match = LINE.fullmatch(line)
    assert match, line
    return match.groupdict()


def head(target: str = "/a", method: str = "GET", protocol: str = "HTTP/1.1", **fields: str) -> Head:
    section = FieldSection({f"HTTP_{name}": value for name, value in fields.items()}, protocol)
    return Head(method, target, section)


Answered = tuple[float, Any, "Head | None", int, int]


def answered(
    a_head: Head | None = None, status: int = 200, length: int = 5, address: Any = ("192.0.2.1", 50000)
) -> Answered:
    """The arguments of `combined`."""
    return 784111777.9, address, a_head, status, length


def test_a_line_in_the_combined_format() -> None:
    a_head = head("/a?b=c", REFERER="http://h/", USER_AGENT="Mozilla/5.0 (X11)")
    assert combined(*answered(a_head)) == (
        '192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a?b=c HTTP/1.1" 200 5 "http://h/" "Mozilla/5.0 (X11)"\n'
    )


@pytest.mark.parametrize(
    ("an_answer", "expected"),
    [
        (answered(head()), {"request": "GET /a HTTP/1.1", "length": "5", "referer": "-", "agent": "-"}),
        (answered(head(), length=0), {"length": "-"}),
        (answered(None, 400, 0), {"request": "-", "status": "400", "referer": "-", "agent": "-"}),
        (answered(head(method="POST", protocol="HTTP/1.0"), 503), {"request": "POST /a HTTP/1.0", "status": "503"}),
        (answered(head("*", "OPTIONS"), 204, 0), {"request": "OPTIONS * HTTP/1.1"}),
        (answered(head(), address=("2001:db8::1", 50000, 0, 0)), {"host": "2001:db8::1"}),
        (answered(head(), address=""), {"host": "-"}),  # a unix socket has no address
        (answered(head(), address=b"\0abstract"), {"host": "-"}),
    ],
)
def test_what_is_not_there_is_a_hyphen(an_answer: Answered, expected: dict[str, str]) -> None:
    line = read(combined(*an_answer).removesuffix("\n"))
    assert {name: line[name] for name in expected} == expected


@pytest.mark.parametrize("month", range(12))
def test_every_month_has_its_english_name(month: int) -> None:
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    line = combined(15 * 86400 + month * 30.5 * 86400, ("h", 1), None, 200, 0)
    assert f"/{names[month]}/1970:" in line


@pytest.mark.parametrize(
    ("agent", "written"),
    [
        ('a "quoted" one', r"a \"quoted\" one"),
        ("a \\ backslash", r"a \\ backslash"),
        ('\\" 200 5 "-" "x', r"\\\" 200 5 \"-\" \"x"),
        ("tab\there", r"tab\x09here"),
        ("line\r\nbreak", r"line\x0d\x0abreak"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x7f\x00", r"\x7f\x00"),
        ("\x9b2J \x85 \xa0", r"\x9b2J \x85 \xa0"),  # what a terminal takes for ESC [, or for a new line
        ("\xc3\xa9", r"\xc3\xa9"),
    ],
)
def test_nothing_that_a_client_writes_ends_a_line_or_moves_a_terminal(agent: str, written: str) -> None:
    for name in ("USER_AGENT", "REFERER"):
        line = combined(*answered(head(**{name: agent})))
        assert line.count("\n") == 1
        assert line.isascii()
        fields = read(line.removesuffix("\n"))
        assert fields["agent" if name == "USER_AGENT" else "referer"] == written


def test_a_quote_in_a_target_does_not_end_it() -> None:
    line = combined(*answered(head('/"%20200%200%20"\\')))
    assert read(line.removesuffix("\n"))["request"] == r"GET /\"%20200%200%20\"\\ HTTP/1.1"


# -- by a server


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"content"]


@pytest.fixture
def lines(start: Start, tmp_path: Path) -> Callable[..., list[dict[str, str]]]:
    """Sends requests to a server with a file and an application, and reads what it logs about them."""

    def lines(*requests: bytes, application: Any = app) -> list[dict[str, str]]:
        (tmp_path / "a.txt").write_bytes(b"a file")
        (tmp_path / "large.bin").write_bytes(b"x" * 200_000)
        log = tmp_path / "access.log"
        running = start(application, root=str(tmp_path), access_log=str(log))
        for data in requests:
            exchange(running, data)
        running.stop()
        return [read(line) for line in log.read_text("ascii").splitlines()]

    return lines


Lines = Callable[..., list[dict[str, str]]]


@pytest.mark.parametrize(
    ("data", "status", "length"),
    [
        (request("/a.txt"), "200", "6"),
        (request("/large.bin"), "200", "200000"),
        (request("/a.txt", method="HEAD"), "200", "-"),
        (request("/a.txt", "If-None-Match: *"), "304", "-"),
        (request("/x"), "200", "7"),
        (request("/x", method="HEAD"), "200", "-"),
        (request("/x", "Content-Length: 0", method="POST"), "200", "7"),
        (request("*", method="OPTIONS"), "204", "-"),
    ],
)
def test_each_request_is_a_line(lines: Lines, data: bytes, status: str, length: str) -> None:
    (line,) = lines(data)
    assert line["request"] == data.split(b"\r\n")[0].decode()
    assert (line["host"], line["status"], line["length"]) == ("127.0.0.1", status, length)


def test_what_is_not_there_is_logged_as_that(lines: Lines) -> None:
    (line,) = lines(request("/nothing"), application=None)
    assert (line["request"], line["status"]) == ("GET /nothing HTTP/1.1", "404")


def test_several_on_one_connection_are_lines_in_their_order(lines: Lines) -> None:
    found = lines(request("/a.txt") + request("/x") + request("/a.txt?2") + request("/large.bin"))
    assert [line["request"].split()[1] for line in found] == ["/a.txt", "/x", "/a.txt?2", "/large.bin"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\n\r\n", "400"),
        (request("/%00"), "400"),
        (b"GET / HTTP/3.0\r\n\r\n", "505"),
        (b"GET /" + b"a" * 70_000, "414"),
        (request("/", "Content-Length: 99999999999", method="POST"), "413"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"),  # TLS, to the wrong port
    ],
)
def test_a_refused_request_is_a_line_too(lines: Lines, data: bytes, status: str) -> None:
    (line,) = lines(data)
    assert (line["host"], line["status"]) == ("127.0.0.1", status)


def test_an_application_that_fails_is_a_line_with_500(lines: Lines, log: pytest.LogCaptureFixture) -> None:
    def fail(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise ValueError("on purpose")

    (line,) = lines(request("/x"), application=fail)
    assert (line["request"], line["status"]) == ("GET /x HTTP/1.1", "500")


def test_a_client_cannot_write_a_line_of_its_own(lines: Lines) -> None:
    evil = '127.0.0.2 - - [06/Nov/1994:08:49:37 +0000] "GET /admin HTTP/1.1" 200 5 "-" "-"'
    found = lines(
        request("/%0d%0a" + evil.replace(" ", "%20").replace('"', "%22")),
        request("/x", f'User-Agent: x"\t{evil}', f'Referer: "{evil}'),
        request("/x", "User-Agent: \x85\x9b2J\xe2\x80\xa8" + evil),
    )
    assert [line["host"] for line in found] == ["127.0.0.1"] * 3
    assert found[0]["request"].startswith("GET /%0d%0a127.0.0.2%20")
    assert found[1]["agent"].startswith(r"x\"\x09127.0.0.2")
    assert found[2]["agent"].startswith(r"\x85\x9b2J\xe2\x80\xa8127.0.0.2")


# -- streams that fail


class Stream(io.StringIO):
    """A stream that can be full, or stand still. It tells of each batch that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.batches = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()

    def write(self, text: str) -> int:
        try:
            self.open.wait()
            if self.full:
                raise OSError(28, "No space left on device")
            return super().write(text)
        finally:
            self.batches.release()

    def written(self) -> None:
        assert self.batches.acquire(timeout=20)


def start_on(start: Start, stream: Stream) -> Running:
    """A server that takes this stream for its stdout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        return start(app, access_log="-")


def complaints(log: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in log.records if "access log" in entry.getMessage()]


def test_a_full_disk_is_said_once_and_the_server_goes_on(start: Start, log: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    running = start_on(start, stream)
    stream.full = True
    for _ in range(3):
        assert exchange(running, request("/lost")).endswith(b"content")
        stream.written()
    stream.full = False
    exchange(running, request("/found"))
    stream.written()
    stream.full = True
    exchange(running, request("/lost"))
    stream.written()
    running.stop()
    assert (
        complaints(log)
        == ["cannot write the access log: [Errno 28] No space left on device; lines are lost until it can be written"]
        * 2
    )
    assert [read(line)["request"] for line in stream.getvalue().splitlines()] == ["GET /found HTTP/1.1"]


def test_a_stream_that_has_been_closed_is_said_once(start: Start, log: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    running = start_on(start, stream)
    stream.close()
    for _ in range(3):
        assert exchange(running, request("/lost")).endswith(b"content")
        stream.written()
    running.stop()
    assert len(complaints(log)) == 1


def test_a_stream_that_stands_still_holds_no_request_up(start: Start) -> None:
    stream = Stream()
    running = start_on(start, stream)
    stream.open.clear()
    for number in range(50):
        assert exchange(running, request(f"/{number}")).endswith(b"content")
    stream.open.set()
    running.stop()
    assert len(stream.getvalue().splitlines()) == 50


def test_a_stream_that_stands_still_to_the_end_is_left_behind() -> None:
    stream = Stream()
    log = AccessLog(stream.write)
    stream.open.clear()
    log.add(*answered(head()))
    log.ring()
    log.close(timeout=0.01)
    stream.open.set()  # and its thread ends by itself: see conftest.no_thread_is_left


def test_what_was_logged_last_is_written_when_it_closes() -> None:
    stream = io.StringIO()
    log = AccessLog(stream.write)
    log.add(*answered(head("/1")))
    log.close()
    assert read(stream.getvalue().removesuffix("\n"))["request"] == "GET /1 HTTP/1.1"
    log.add(*answered(head("/2")))
    log.ring()
    log.add(*answered(head("/3")))
    log.close()
    assert [read(line)["request"].split()[1] for line in stream.getvalue().splitlines()] == ["/1", "/2", "/3"]
    assert not stream.closed


def test_a_server_without_stdout_has_no_log(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    running = start(app, access_log="-")
    assert exchange(running, request("/x")).endswith(b"content")


def test_it_counts_the_bytes_of_a_part(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    running = start(root=str(tmp_path), access_log=str(tmp_path / "log"))
    length = len([ask(running, "/a.txt", f"Range: bytes={asked}") for asked in ("2-4", "2-4,6-6")][1].content)
    running.stop()
    first, second = (tmp_path / "log").read_text("utf-8").splitlines()
    assert '" 206 3 ' in first
    assert f'" 206 {length} ' in second
