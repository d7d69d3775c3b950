"""docs/windows.md and deploy/windows: each command of tpserver in them is one, and what they say of times holds."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.console import HELLO, PATIENCE, ROOT, environment, free_port, get, wait_until_it_serves
from tests.scripts import DOCS
from tpserver.cli import parse
from tpserver.config import OPTIONS, Config
from tpserver.options.option import option_name

TEXT = (DOCS / "windows.md").read_text("utf-8")
DEPLOY = ROOT / "deploy" / "windows"
BLOCKS = [
    line for block in re.findall(r"^```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
STARTED = [line for line in BLOCKS if "-m tpserver" in line]
# Options of the command service, and of no server.
OF_SERVICE = {"--log"}


def words(line: str) -> list[str]:
    """A command line of Windows -> its words. In these a backslash never stands before a quote."""
    return shlex.split(line.replace("\\", "\\\\"))


def arguments(line: str) -> list[str]:
    """What stands behind `-m tpserver` on a line, whose last argument may be a whole command line."""
    rest = words(line)
    if "-m" not in rest:
        rest = words(rest[-1])
    return rest[rest.index("tpserver") + 1 :]


def httpplatform() -> dict[str, str]:
    """The attributes of web.config's element."""
    element = ET.parse(DEPLOY / "web.config").getroot().find("system.webServer/httpPlatform")
    assert element is not None
    return element.attrib


def winsw(name: str) -> str:
    """The text of an element of the file for WinSW."""
    text = ET.parse(DEPLOY / "tpserver-winsw.xml").getroot().findtext(name)
    assert text is not None
    return text


@pytest.mark.parametrize("line", [line for line in STARTED if " service " not in line])
def test_each_command_is_one_of_this_server(line: str) -> None:
    config = parse(arguments(line))
    assert config.app == "hello:app"
    assert config.root in ("public", "C:\\site\\public")


def test_each_action_of_the_service_is_shown_and_its_options_are_options() -> None:
    shown = [arguments(line)[1:] for line in STARTED if " service " in line]
    assert {action for action, *_ in shown} == {"install", "start", "status", "stop", "remove"}
    for action, name, *options in shown:
        assert name == "hello"
        assert parse(options) == (Config(root="public", app="hello:app") if action == "install" else Config())


def test_it_names_no_option_that_there_is_not() -> None:
    known = {option_name(name) for name in OPTIONS} | OF_SERVICE
    assert set(re.findall(r"--[a-z][a-z-]*[a-z]", TEXT)) <= known


def test_what_it_links_to_is_there_and_the_readme_links_to_it() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", TEXT)
    assert {"../deploy/windows/web.config", "../deploy/windows/tpserver-winsw.xml"} <= set(links)
    assert [link for link in links if "://" not in link and not (DOCS / link).exists()] == []
    assert "(docs/windows.md)" in (ROOT / "README.md").read_text("utf-8")


def test_nssm_and_winsw_wait_longer_than_the_drain() -> None:
    waits = re.findall(r"AppStopMethodConsole (\d+)", TEXT)
    assert [int(wait) / 1000 > Config().drain_timeout for wait in waits] == [True]
    started = parse(arguments(winsw("arguments")))
    assert float(winsw("stoptimeout").removesuffix(" sec")) > started.drain_timeout


def test_the_file_for_winsw_starts_it_in_the_folder_of_the_site() -> None:
    assert winsw("workingdirectory") == "C:\\site"
    started = parse(arguments(winsw("arguments")))
    assert (started.root, started.app) == ("public", "hello:app")


def test_the_web_config_serves_on_the_port_that_iis_gives(tmp_path: Path) -> None:
    """IIS replaces the variable; the folder of the site is another one here."""
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "page.html").write_text("page", "utf-8")
    (tmp_path / "hello.py").write_text(HELLO, "utf-8")
    port = free_port()
    line = httpplatform()["arguments"].replace("%HTTP_PLATFORM_PORT%", str(port))
    command = [word.replace("C:\\site", str(tmp_path)).replace("\\", "/") for word in words(line)]
    with subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            wait_until_it_serves(port)
            assert get(f"http://127.0.0.1:{port}/page.html") == "page"
            assert get(f"http://127.0.0.1:{port}/other") == "hello /other"
        finally:
            process.kill()
            process.communicate(timeout=PATIENCE)


def test_the_web_config_gives_the_application_time_to_be_imported() -> None:
    attributes = httpplatform()
    assert int(attributes["startupTimeLimit"]) > 10
    assert attributes["processPath"] == winsw("executable")
