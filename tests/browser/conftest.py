"""A real Chromium, without a window. Where there is none, or no driver for it, these tests are skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.running import Start


def found(*names: str) -> str:
    """The first program of these that is installed."""
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return path
    pytest.skip(f"no {names[0]} is installed")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for the tests of a module."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = found("chromium", "chromium-browser", "google-chrome")
    for switch in ("--headless=new", "--disable-dev-shm-usage", "--disable-gpu", "--mute-audio", "--no-proxy-server"):
        options.add_argument(switch)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # it refuses to run as root otherwise, as containers do
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # The driver by its path: nothing is downloaded.
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(found("chromedriver")))
    driver.set_page_load_timeout(PATIENCE)
    driver.set_script_timeout(PATIENCE)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: Any) -> Any:
    """The browser as new: an ordinary window, and nothing in its cache."""
    chromium.set_window_size(1000, 800)
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.execute_cdp_cmd("Network.clearBrowserCache", {})
    chromium.get("about:blank")
    chromium.get_log("browser")  # what the tests before have left there
    return chromium


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The root of the server."""
    return tmp_path / "root"


@pytest.fixture
def serve(start: Start, folder: Path, tmp_path: Path) -> Start:
    """Serves `folder`, by options; the access log goes where `asked` looks."""
    return lambda **options: start(root=folder, drain_timeout=1.0, access_log=str(tmp_path / "access.log"), **options)


@pytest.fixture
def asked(tmp_path: Path) -> Callable[[], list[tuple[str, int]]]:
    """What was asked for so far, as the access log has it: (target, status)."""

    def asked() -> list[tuple[str, int]]:
        lines = (tmp_path / "access.log").read_text("utf-8").split("\n")[:-1]
        requests = (line.split('"') for line in lines)
        return [(parts[1].split(" ")[1], int(parts[2].split(" ")[1])) for parts in requests]

    return asked
