"""What a person sees in a real browser: a film that seeks, a reload from the cache, a listing that sorts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.running import Start

pytestmark = pytest.mark.browser

HTML = Path(__file__).resolve().parents[2] / "html"
FILM = HTML / "lighthouse.mp4"
SECONDS = 24
# A name that a careless page would show, or ask for, as another.
ODD = "x&amp;#%41.txt"
BACKSPACE, ESCAPE = "\ue003", "\ue00c"  # of selenium's Keys

Serve = Start
Asked = Callable[[], list[tuple[str, int]]]

# Moves a film to a second of it: where it is then, where it can be moved to, and how long it is.
SEEK = """
const [video, second, done] = [document.querySelector("video"), arguments[0], arguments[1]];
const seek = () => {
  video.addEventListener("seeked", () =>
    done([video.currentTime, video.seekable.end(video.seekable.length - 1), video.duration]));
  video.currentTime = second;
};
video.addEventListener("error", () => done(video.error.message));
if (video.readyState >= 1) seek(); else video.addEventListener("loadedmetadata", seek);
"""


def wait_for(browser: Any, condition: Callable[[], Any], what: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, PATIENCE, poll_frequency=0.02).until(lambda _: condition(), what)


def follow(browser: Any, text: str) -> None:
    """Clicks the link or button whose text begins so, and waits for the page that it leads to."""
    (link,) = browser.find_elements("xpath", f"//*[self::a or self::button][starts-with(normalize-space(.), '{text}')]")
    before = browser.current_url
    link.click()
    wait_for(browser, lambda: browser.current_url != before, f"{text} led nowhere")
    wait_for(browser, lambda: browser.execute_script("return document.readyState") == "complete", "it never loads")


def names(browser: Any) -> list[str]:
    """What is listed and shown, from top to bottom, without the way up."""
    found = browser.find_elements("css selector", "tbody :not(.up) > td a, .grid :not(.up) > a")
    return [element.text for element in found if element.is_displayed()]


def complaints(browser: Any) -> list[str]:
    """What the browser's console says, but for the icon that no folder here has."""
    return [entry["message"] for entry in browser.get_log("browser") if "/favicon.ico" not in entry["message"]]


def test_the_film_of_the_demo_page_seeks(browser: Any, serve: Serve, folder: Path, asked: Asked) -> None:
    shutil.copytree(HTML, folder)
    browser.get(serve().url + "/")
    assert browser.execute_async_script(SEEK, 18) == [18, SECONDS, SECONDS]
    assert browser.execute_async_script(SEEK, 3) == [3, SECONDS, SECONDS]
    wait_for(browser, lambda: ("/lighthouse.mp4", 206) in asked(), "the film was not asked for by ranges")
    assert ("/lighthouse.mp4", 200) not in asked()


def test_a_film_whose_index_stands_at_its_end_seeks_without_being_loaded(
    browser: Any, serve: Serve, folder: Path, asked: Asked
) -> None:
    folder.mkdir()
    film = FILM.read_bytes()
    index = film.rindex(b"moov") - 4
    gap = 64 * 1024 * 1024  # more than any browser reads ahead; a box of type "free" is passed over
    with open(folder / "large.mp4", "wb") as file:
        file.write(film[:index] + gap.to_bytes(4, "big") + b"free")
        file.seek(index + gap)
        file.write(film[index:])
    (folder / "page.html").write_text('<!doctype html><video src="large.mp4" preload="auto" muted></video>')
    browser.get(serve().url + "/page.html")
    assert browser.execute_async_script(SEEK, 15) == [15, SECONDS, SECONDS]
    wait_for(browser, lambda: asked().count(("/large.mp4", 206)) >= 2, "its end was not asked for by itself")


def test_a_reload_brings_nothing_that_the_cache_has(browser: Any, serve: Serve, folder: Path, asked: Asked) -> None:
    shutil.copytree(HTML, folder, copy_function=shutil.copy)  # new: nothing may be taken for fresh without asking
    running = serve()
    browser.get(running.url + "/")
    title = browser.title
    wait_for(browser, lambda: ("/", 200) in asked(), "the page was not asked for")
    (folder / "late.txt").touch()
    browser.refresh()
    browser.execute_async_script("fetch('late.txt', {cache: 'no-store'}).then(arguments[0])")
    wait_for(browser, lambda: ("/late.txt", 200) in asked(), "the log is behind")
    log = [entry for entry in asked() if entry[0] in ("/", "/style.css", "/script.js", "/lighthouse.svg")]
    again = log.index(("/", 304))
    assert {status for _, status in log[:again]} == {200}
    assert {status for _, status in log[again:]} == {304}
    assert browser.title == title


@pytest.fixture
def pictures(folder: Path) -> Path:
    """A folder to be listed: pictures of known sizes, a folder, and a name that would be markup."""
    (folder / "photos" / "older").mkdir(parents=True)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30"/></svg>'
    for name, size in (("a2.svg", 500), ("a10.svg", 300), ("b.svg", 400)):
        (folder / "photos" / name).write_text(svg.ljust(size))
    (folder / "photos" / ODD).write_text("text")
    (folder / "photos" / "older" / "c.svg").write_text(svg)
    return folder


def test_a_listing_is_sorted_by_a_click_and_turned_by_another(browser: Any, serve: Serve, pictures: Path) -> None:
    browser.get(serve(listing=True).url + "/")
    follow(browser, "photos/")
    assert names(browser) == ["older/", "a2.svg", "a10.svg", "b.svg", ODD]
    follow(browser, "Size")
    assert names(browser) == ["older/", ODD, "a10.svg", "b.svg", "a2.svg"]
    follow(browser, "Size")
    assert names(browser) == ["older/", "a2.svg", "b.svg", "a10.svg", ODD]
    follow(browser, ODD)
    assert browser.find_element("tag name", "body").text == "text"
    assert complaints(browser) == []


def test_the_grid_shows_the_pictures_and_stays_in_the_folders_below(browser: Any, serve: Serve, pictures: Path) -> None:
    browser.get(serve(listing=True).url + "/photos/?sort=size")
    follow(browser, "Grid")
    assert "view=grid" in browser.current_url
    assert "sort=size" in browser.current_url
    assert names(browser) == ["older/", ODD, "a10.svg", "b.svg", "a2.svg"]
    widths = "return [...document.images].map(image => image.complete && image.naturalWidth)"
    wait_for(browser, lambda: browser.execute_script(widths) == [40, 40, 40], "the pictures are not shown")
    follow(browser, "older/")
    assert "view=grid" in browser.current_url
    wait_for(browser, lambda: browser.execute_script(widths) == [40], "the picture is not shown")
    follow(browser, "photos")
    assert "view=grid" in browser.current_url
    follow(browser, "List")
    assert browser.find_elements("css selector", "table")
    assert complaints(browser) == []


LONG = "a-name-without-any-place-to-break-it-" + "x" * 80 + ".txt"


def on_a_phone(browser: Any) -> None:
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)


@pytest.mark.parametrize("view", ["list", "grid"])
def test_a_listing_fits_a_phone(browser: Any, serve: Serve, pictures: Path, view: str) -> None:
    (pictures / "photos" / LONG).touch()
    on_a_phone(browser)
    browser.get(serve(listing=True).url + f"/photos/?view={view}")
    assert browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [360, 360]


def test_a_row_on_a_phone_has_two_lines(browser: Any, serve: Serve, pictures: Path) -> None:
    (pictures / "photos" / LONG).touch()
    on_a_phone(browser)
    browser.get(serve(listing=True).url + "/photos/")
    heights = browser.execute_script("return [...document.querySelectorAll('tbody tr')].map(row => row.offsetHeight)")
    assert len(heights) == 7
    assert all(44 <= height <= 64 for height in heights), heights


@pytest.mark.parametrize("view", ["list", "grid"])
@pytest.mark.parametrize("phone", [True, False])
def test_whatever_can_be_touched_is_large_enough(
    browser: Any, serve: Serve, pictures: Path, view: str, phone: bool
) -> None:
    if phone:
        on_a_phone(browser)
    browser.get(serve(listing=True).url + f"/photos/older/?view={view}")
    found = """return [...document.querySelectorAll("a, button, input:not([type=hidden])")].map(element =>
      [element.outerHTML, element.getBoundingClientRect().width, element.getBoundingClientRect().height])"""
    for element, width, height in browser.execute_script(found):
        assert width >= 24, element
        assert height >= 24, element


@pytest.mark.parametrize("view", ["list", "grid"])
@pytest.mark.parametrize("phone", [True, False])
def test_all_of_an_entry_is_its_link(browser: Any, serve: Serve, pictures: Path, view: str, phone: bool) -> None:
    if phone:
        on_a_phone(browser)
    browser.get(serve(listing=True).url + f"/photos/?view={view}")
    found = """return [...document.querySelectorAll("tbody tr, .grid li")].map(entry => {
      const box = entry.getBoundingClientRect();
      window.scrollTo(0, box.top + scrollY - 100);
      const now = entry.getBoundingClientRect();
      const at = [[now.left + 6, now.top + 6], [now.right - 6, now.bottom - 6], [now.right - 40, now.top + 15]];
      const hit = at.map(([x, y]) => document.elementFromPoint(x, y));
      return hit.every(element => element === entry.querySelector("a"));
    })"""
    assert browser.execute_script(found) == [True] * 6


def test_dates_are_in_the_readers_time_zone_and_in_utc_without_a_script(
    browser: Any, serve: Serve, pictures: Path
) -> None:
    os.utime(pictures / "photos" / ODD, (1_720_000_000, 1_720_000_000))  # 2024-07-03 09:46:40 UTC
    url = serve(listing=True).url + "/photos/?sort=date"
    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    try:
        browser.get(url)
        assert browser.find_elements("css selector", "tbody time")[1].text == "2024-07-03 18:46"
        assert "UTC" not in browser.find_element("tag name", "body").text
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        browser.get(url)
        assert browser.find_elements("css selector", "tbody time")[1].text == "2024-07-03 09:46"
        assert "UTC" in browser.find_element("tag name", "thead").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


@pytest.mark.parametrize("view", ["list", "grid"])
def test_a_filter_works_as_it_is_typed(browser: Any, serve: Serve, pictures: Path, view: str) -> None:
    (pictures / "photos" / "Édith.txt").touch()
    browser.get(serve(listing=True).url + f"/photos/?view={view}")
    field = browser.find_element("css selector", "input[type=search]")
    field.send_keys("svg 2")
    assert names(browser) == ["a2.svg"]
    assert browser.find_element("id", "count").text == "1 of 6 shown"
    field.clear()
    field.send_keys("edi")
    assert names(browser) == ["Édith.txt"]
    field.send_keys("xx")
    assert names(browser) == []
    assert "No name here contains this." in browser.find_element("tag name", "main").text
    field.send_keys(ESCAPE)
    assert len(names(browser)) == 6
    (pictures / "photos" / "Stra\u00dfe und Sm\u00f8r.txt").touch()
    browser.refresh()
    browser.find_element("css selector", "input[type=search]").send_keys("STRASSE smor")
    assert names(browser) == ["Stra\u00dfe und Sm\u00f8r.txt"]
    assert complaints(browser) == []


def test_a_filter_without_a_script_is_asked_of_the_server(
    browser: Any, serve: Serve, pictures: Path, asked: Asked
) -> None:
    url = serve(listing=True).url
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(url + "/photos/?sort=size")
        browser.find_element("css selector", "input[type=search]").send_keys("svg\n")
        wait_for(browser, lambda: browser.current_url.endswith("?sort=size&q=svg"), "nothing is asked for")
        assert names(browser) == ["a10.svg", "b.svg", "a2.svg"]
        follow(browser, "Name")
        assert names(browser) == ["a2.svg", "a10.svg", "b.svg"]
        follow(browser, "Home")
        assert names(browser) == ["photos/"]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_filter_that_takes_in_more_than_was_asked_of_the_server_says_so(
    browser: Any, serve: Serve, pictures: Path
) -> None:
    browser.get(serve(listing=True).url + "/photos/?q=a1")
    field, count = (browser.find_element("css selector", one) for one in ("input[type=search]", "#count"))
    assert names(browser) == ["a10.svg"]
    field.send_keys("0")
    assert (names(browser), count.text) == (["a10.svg"], "1 of 5 shown")
    field.send_keys(BACKSPACE * 2)
    assert count.text == "Enter searches all names"
    field.send_keys("\n")
    wait_for(browser, lambda: browser.current_url.endswith("?q=a"), "nothing is asked for")
    assert {"a2.svg", "a10.svg"} <= set(names(browser))


def test_cards_are_equal(browser: Any, serve: Serve, pictures: Path) -> None:
    (pictures / "photos" / LONG).touch()
    browser.get(serve(listing=True).url + "/photos/?view=grid")
    sizes = (
        "return [...document.querySelectorAll('.grid li')].map(card => [card.offsetWidth, card.offsetHeight].join())"
    )
    assert len(set(browser.execute_script(sizes))) == 1


def test_an_empty_folder_says_so_and_has_a_way_up(browser: Any, serve: Serve, folder: Path) -> None:
    (folder / "photos" / "empty").mkdir(parents=True)
    browser.get(serve(listing=True).url + "/photos/empty/")
    assert "This folder is empty." in browser.find_element("tag name", "main").text
    follow(browser, "..")
    assert browser.current_url.endswith("/photos/")
    follow(browser, "Home")
    assert names(browser) == ["photos/"]


def test_a_listing_is_dark_where_the_person_wants_it_so(browser: Any, serve: Serve, pictures: Path) -> None:
    browser.get(serve(listing=True).url + "/photos/")
    lightness = (
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b)"
    )
    seen = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        seen.append(browser.execute_script(lightness))
    assert seen[0] > 600
    assert seen[1] < 150
