"""The main job in one breath."""

import requests


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello " + environ["PATH_INFO"].encode()]


def test_hello(start, tmp_path):
    (tmp_path / "a.txt").write_text("A file")
    running = start(hello, root=str(tmp_path))
    assert requests.get(running.url + "/x").text == "hello /x"
    assert requests.get(running.url + "/a.txt").text == "A file"
