"""The options: how they are written, what is checked, and that the README tells of every one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.scripts import script
from tpserver import Config
from tpserver.config import OPTIONS
from tpserver.errors import UsageError
from tpserver.options.option import option_name, options_table, parse_count, parse_number, parse_size, shown_default

ROOT = Path(__file__).resolve().parent.parent
K, M, G = 1024, 1024**2, 1024**3


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1", 1), ("65536", 65536), ("64K", 64 * K), ("256M", 256 * M), ("2G", 2 * G), ("007K", 7 * K)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "K", "-1", "+1", "1.5M", "1_000", "0x10", "64KB", "64 K", " 64", "64\n", "\u0661", "1e3", "1" * 16, "64T"],
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as 65536, 64K or 256M"):
        parse_size(text)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("8", 8), ("10000", 10_000)])
def test_counts(text: str, number: int) -> None:
    assert parse_count(text) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1_0", "eight", " 8", "8\n", "\u0668", "1" * 16])
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number"):
        parse_count(text)


@pytest.mark.parametrize(("text", "number"), [("0", 0.0), ("15", 15.0), ("0.0005", 0.0005), ("75.5", 75.5)])
def test_numbers(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.", ".5", "1e3", "nan", "inf", "1_0", "1,5", "\u0661", "5s"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        parse_number(text)


def test_the_defaults_are_allowed_and_safe() -> None:
    config = Config()
    assert config.host == "127.0.0.1"
    assert config.root is None
    assert config.app is None
    assert config.max_head == 64 * K
    assert config.max_body == 256 * M


LEAST = [(option_name(name), name, option.least) for name, option in OPTIONS.items()]
MOST = [(option_name(name), name, option.most) for name, option in OPTIONS.items()]
WHOLE = [name for name, option in OPTIONS.items() if type(option.default) is int]
NUMBERS = [name for name, option in OPTIONS.items() if type(option.default) is float]


@pytest.mark.parametrize(("shown", "name", "least"), [row for row in LEAST if row[2] is not None])
def test_every_least_value_is_allowed_and_less_is_not(shown: str, name: str, least: float) -> None:
    kind = int if name in WHOLE else float
    assert getattr(Config(**{name: kind(least)}), name) == least
    with pytest.raises(UsageError, match=f"^{shown} must be .* or more, not -?[0-9.]+$"):
        Config(**{name: kind(least - 1)})


@pytest.mark.parametrize(("shown", "name", "most"), [row for row in MOST if row[2] is not None])
def test_every_greatest_value_is_allowed_and_more_is_not(shown: str, name: str, most: float) -> None:
    kind = int if name in WHOLE else float
    assert getattr(Config(**{name: kind(most)}), name) == most
    with pytest.raises(UsageError, match=f"^{shown} must be .* or less, not [0-9.]+$"):
        Config(**{name: kind(most + 1)})


@pytest.mark.parametrize("name", WHOLE + NUMBERS)
@pytest.mark.parametrize("value", ["8", None, True, b"8", [8], 8j, float("nan")])
def test_what_is_to_be_a_number_is_one(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^--{name.replace('_', '-')} "):
        Config(**{name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_counted_is_counted_in_whole_numbers(name: str) -> None:
    with pytest.raises(UsageError, match=r"takes a whole number, not 2000\.5"):
        Config(**{name: 2000.5})


@pytest.mark.parametrize("name", NUMBERS)
def test_where_a_number_will_do_a_whole_one_does(name: str) -> None:
    assert getattr(Config(**{name: 1}), name) == 1


def test_a_level_of_the_log_is_one_of_those_that_there_are() -> None:
    for level in ("debug", "info", "warning", "error", "critical"):
        assert Config(log_level=level).log_level == level
    with pytest.raises(UsageError, match="--log-level takes one of debug, info, warning, error, critical, not 'INFO'"):
        Config(log_level="INFO")


def test_what_a_config_says_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Config().port = 80  # type: ignore[misc]


def test_every_field_is_an_option_that_says_what_it_means() -> None:
    assert list(OPTIONS) == list(vars(Config()))
    for option in OPTIONS.values():
        assert option.metavar == option.metavar.upper()
        assert option.meaning
        assert option.meaning[0].isupper()
        assert option.meaning.endswith(".")
        assert "|" not in option.meaning, "it would break the table"
        assert shown_default(option)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("max_head", "64K"),
        ("max_body", "256M"),
        ("port", "8888"),
        ("switch_interval", "0.0001"),
        ("idle_timeout", "75"),
        ("app", "none"),
        ("max_connections", "10000"),
    ],
)
def test_a_default_is_shown_as_a_person_would_write_it(name: str, shown: str) -> None:
    assert shown_default(OPTIONS[name]) == shown


def test_what_is_shown_can_be_written() -> None:
    for option in OPTIONS.values():
        if option.default not in (None, False, ()) and not option.shown:
            assert option.parse(shown_default(option)) == option.default


def test_the_readme_has_the_options_as_they_are() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert script("make_options").with_options(readme, options_table(OPTIONS)) == readme, (
        "run python docs/make_options.py"
    )


def test_the_table_stands_between_its_markers_and_nothing_else_changes() -> None:
    text = "before\n<!-- options:begin -->\nold\n<!-- options:end -->\nafter\n"
    expected = "before\n<!-- options:begin -->\nnew\n<!-- options:end -->\nafter\n"
    assert script("make_options").with_options(text, "new\n") == expected
    with pytest.raises(ValueError, match="markers"):
        script("make_options").with_options("nothing", "new\n")


def test_the_table_is_one_for_markdown() -> None:
    lines = options_table(OPTIONS).splitlines()
    assert len(lines) == 2 + len(vars(Config()))
    assert {line.count(" | ") for line in lines} == {2}
    assert "| `--port PORT` | Port to listen on. 0: a free port; the server prints which. | 8888 |" in lines
