"""`--workers N` as its user sees it: several processes at one address, and what happens to them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client import Client, request
from tests.console import Console, failing, get, python, tpserver
from tests.waiting import eventually

posix = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")

# Answers with its process and its version.
APP = """
import os, threading

print("imported", os.getpid(), flush=True)
VERSION = {version!r}

def app(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        print("inside", os.getpid(), flush=True)
        threading.Event().wait()
    if environ["PATH_INFO"] == "/die":
        os._exit(7)
    body = b"%d %s %d" % (os.getpid(), VERSION.encode(), environ["wsgi.multiprocess"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


def write(folder: Path, version: str) -> None:
    """Changes the application, and drops what Python has compiled: it looks at seconds only."""
    (folder / "versions.py").write_text(APP.format(version=version), "utf-8")
    for file in folder.glob("__pycache__/versions*"):
        file.unlink(missing_ok=True)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write(tmp_path, "one")
    return tmp_path


def serving(site: Path, *options: str, **how: object) -> Console:
    return tpserver("versions:app", "--access-log", "none", *options, cwd=site, **how)


def pid(console: Console) -> int:
    return int(console.get("/").split()[0])


def until(console: Console, condition: Callable[[str], object]) -> None:
    eventually(lambda: condition(console.get("/")), "it never answers so")


def ask_twice_at_once(console: Console) -> set[str]:
    """What two clients get that are connected at the same time."""
    with Client(console) as one, Client(console) as other:
        return {one.ask("/").content.split()[0].decode(), other.ask("/").content.split()[0].decode()}


def test_several_processes_answer_at_one_address(site: Path) -> None:
    with serving(site, "--workers", "2") as console:
        assert "by 2 processes" in console.url + console.greeting
        seen: set[str] = set()
        eventually(lambda: seen.update(ask_twice_at_once(console)) or len(seen) == 2, "one of them answers all")
        assert console.get("/").endswith(" one 1")
        ended = console.stop()
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout.endswith("stopped\n")


def test_an_application_that_cannot_be_imported_ends_all_as_it_ends_one(site: Path) -> None:
    (site / "broken.py").write_text("import nowhere\n", "utf-8")
    alone, several = (failing("broken:app", "--port", "0", *more, cwd=site) for more in ((), ("--workers", "2")))
    assert several == alone
    assert several.status == 1
    assert "nowhere" in several.stderr


def test_an_option_that_is_wrong_for_all_is_told_once(site: Path) -> None:
    ended = failing("--app", "versions:app", "--spa", "nothing.html", "--workers", "2", cwd=site)
    assert (ended.status, ended.stderr.count("error:")) == (2, 1)


def test_an_address_that_is_taken_is_told_before_anything_is_imported(site: Path) -> None:
    with serving(site, "--workers", "2") as console:
        ended = failing("versions:app", "--port", str(console.port), "--workers", "2", cwd=site)
    assert (ended.status, ended.stdout) == (1, "")
    assert "cannot listen on 127.0.0.1:" in ended.stderr


def test_a_process_that_dies_is_replaced_and_the_others_go_on(site: Path) -> None:
    with serving(site, "--workers", "2") as console:
        before = pid(console)
        with Client(console) as client:
            client.send(request("/die"))
            assert client.stream.read() == b""
        seen: set[str] = set()
        eventually(lambda: seen.update(ask_twice_at_once(console)) or len(seen) >= 2, "it is not replaced")
        ended = console.stop()
        assert before
    assert ended.status == 0
    assert "has ended: exit status 7" in ended.stderr


@posix
def test_sighup_replaces_all_and_the_new_version_answers(site: Path) -> None:
    with serving(site, "--workers", "2") as console:
        console.get("/")
        with Client(console) as kept:
            old = kept.ask("/").content
            write(site, "two")
            console.send(signal.SIGHUP)
            until(console, lambda answer: " two " in answer)
            # Its process drains: it answers once more on a connection that is open, or has closed it by now.
            kept.send(request("/"))
            assert kept.stream.read() == b"" or old
        assert console.stop().status == 0


@posix
def test_sighup_with_a_broken_version_leaves_the_old_one_serving(site: Path) -> None:
    with serving(site, "--workers", "2") as console:
        console.get("/")
        (site / "versions.py").write_text("import nowhere\n", "utf-8")
        console.send(signal.SIGHUP)
        stderr = console.process.stderr
        assert stderr is not None
        assert "replacing 2 workers" in stderr.readline()
        assert "a new worker cannot start" in stderr.readline()
        ended_early = "the replacement has ended early: 2 of 2 workers are still of the old version"
        while ended_early not in stderr.readline():
            pass
        assert " one " in console.get("/")
        assert console.stop().status == 0


def test_a_process_is_replaced_after_so_many_requests(site: Path) -> None:
    with serving(site, "--workers", "1", "--max-requests", "3", "--max-requests-jitter", "2") as console:
        first = pid(console)
        until(console, lambda answer: int(answer.split()[0]) != first)
        ended = console.stop()
    assert ended.status == 0
    assert re.search(r"worker 0 is to be replaced: \d+ requests", ended.stderr)


def test_a_process_is_replaced_that_takes_too_much_memory(site: Path) -> None:
    with serving(site, "--max-rss", "1M") as console:
        first = pid(console)
        until(console, lambda answer: int(answer.split()[0]) != first)


@pytest.mark.parametrize("signals", [1, 2])
def test_a_second_signal_does_not_wait_for_what_hangs(site: Path, signals: int) -> None:
    with serving(site, "--workers", "2", "--drain-timeout", "0.2" if signals == 1 else "30") as console:
        assert console.url
        with Client(console) as client:
            client.send(request("/hang"))
            while "inside" not in console.read_line():
                pass
            for _ in range(signals):
                console.send()
                eventually(lambda: _refused(console), "it still listens")
            assert console.end().status == 0


def _refused(console: Console) -> bool:
    try:
        Client(console).close()
    except OSError:
        return True
    return False


def test_a_hanging_process_is_killed_and_replaced(site: Path) -> None:
    with serving(site, "--threads", "1", "--hang-timeout", "1") as console:
        first = pid(console)
        with Client(console) as hanging, Client(console) as waiting:
            hanging.send(request("/hang"))
            while "inside" not in console.read_line():
                pass
            waiting.send(request("/"))
            assert waiting.stream.read() == b""
        until(console, lambda answer: int(answer.split()[0]) != first)


@posix
def test_one_that_is_killed_takes_only_its_own_requests_along(site: Path) -> None:
    """Four clients ask all the time, each on a new connection; what fails was running in the process that is killed."""
    with serving(site, "--workers", "2") as console:
        url = console.url + "/"
        answers: list[str] = []
        failed: list[Exception] = []

        def client() -> None:
            for _ in range(100):
                try:
                    answers.append(get(url))
                except OSError as error:
                    failed.append(error)

        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(answers) >= 40, "nothing is answered")
        os.kill(int(answers[-1].split()[0]), signal.SIGKILL)
        for thread in threads:
            thread.join()
        assert len(failed) <= 4, failed  # one for each client, at most
        assert len(answers) + len(failed) == 400
        assert console.stop().status == 0


@posix
def test_all_processes_end_with_a_parent_that_is_killed(site: Path) -> None:
    with serving(site, "--workers", "2", stderr=subprocess.DEVNULL) as console:
        assert console.url
        console.process.kill()
        eventually(lambda: _refused(console), "its children serve on")


def test_lines_of_the_access_log_are_whole(site: Path) -> None:
    log = site / "access.log"
    with tpserver("versions:app", "--access-log", str(log), "--workers", "2", cwd=site) as console:
        for _ in range(20):
            ask_twice_at_once(console)
        assert console.stop().status == 0
    lines = log.read_text("utf-8").splitlines()
    assert len(lines) == 40
    assert all(re.fullmatch(r'127\.0\.0\.1 - - \[[^]]+\] "GET / HTTP/1\.1" 200 \d+ "-" "-"', line) for line in lines)


def test_the_environment_says_how_many_and_an_option_wins(site: Path) -> None:
    with serving(site, env={"WEB_CONCURRENCY": "2"}) as console:
        assert "by 2 processes" in console.url + console.greeting
    with serving(site, "--workers", "1", env={"WEB_CONCURRENCY": "2"}) as console:
        assert "processes" not in console.url + console.greeting
    with tpserver("versions:app", cwd=site, env={"WEB_CONCURRENCY": "many"}) as console:
        ended = console.end()
    assert (ended.status, ended.stderr.startswith("tpserver: error: WEB_CONCURRENCY in the environment")) == (
        2,
        True,
    )


SCRIPT = """
from tpserver import serve

if __name__ == "__main__":
    serve("versions:app", port=0, workers=2, access_log="none")
"""


def test_a_program_has_several_processes_by_the_name_of_its_application(site: Path) -> None:
    (site / "main.py").write_text(SCRIPT, "utf-8")
    with python("main.py", cwd=site) as console:
        assert " one 1" in console.get("/")
        assert console.stop().status == 0


def test_a_callable_is_refused(site: Path) -> None:
    code = "import tpserver, versions\nif __name__ == '__main__': tpserver.serve(versions.app, workers=2)"
    (site / "main.py").write_text(code, "utf-8")
    with python("main.py", cwd=site) as console:
        assert "import the application by its name" in console.end().stderr


def test_make_server_is_for_one() -> None:
    from tpserver import make_server
    from tpserver.errors import UsageError

    with pytest.raises(UsageError, match="make_server"):
        make_server(port=0, root=".", workers=2)
