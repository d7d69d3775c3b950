"""The five steps of docs/tutorial.md, each run as its reader runs it."""

from __future__ import annotations

import re

import pytest
import requests


@pytest.fixture
def example(start):
    return lambda name: start("-m", f"examples.{name}", "--port", "0")


def get(url: str, **options) -> requests.Response:
    return requests.get(url, timeout=20, **options)


@pytest.mark.parametrize("path", ["/", "/any/thing", "/time.py?x=1"])
def test_the_fixed_page_answers_everything_with_the_same_text(example, path):
    assert get(example("fixed_page") + path).text == "Hello, world!\n"


def test_the_folder_serves_its_files(example):
    answer = get(example("folder") + "/style.css")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/css")


def test_the_folder_has_no_other_files(example):
    assert get(example("folder") + "/no.css").status_code == 404


def test_the_class_style_server_keeps_the_state_of_its_application(example):
    url = example("class_style")
    assert [get(url).text for _ in range(2)] == ["This is call 1.\n", "This is call 2.\n"]


@pytest.fixture
def clock(start):
    return start("-m", "tpserver", "--port", "0", "--root", "html", "--app-dir", "wsgiPy", "--app", "clock:app")


def test_a_path_that_ends_in_py_goes_to_the_application(clock):
    assert re.match(r"\d{4}-\d\d-\d\d ", get(clock + "/time.py").text)


def test_a_file_goes_before_the_application(clock):
    assert get(clock + "/sub/notes.txt").text.startswith("A plain text file")


def test_show_environ_shows_method_path_query_and_body(example):
    url = example("show_environ") + "/a%20b?x=1"
    text = requests.post(url, data="<some> text", timeout=20).text
    for item in ("<dd>POST</dd>", "<dd>/a b</dd>", "<dd>x = 1</dd>", "<dd>&lt;some&gt; text</dd>"):
        assert item in text


def test_show_environ_shows_the_time(example):
    assert re.search(
        r"<dt>Time</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}</dd>", get(example("show_environ")).text
    )
