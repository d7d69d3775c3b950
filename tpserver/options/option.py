"""One option: how it is written on the command line, parsed, checked and shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from tpserver.errors import UsageError

_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def parse_size(text: str) -> int:
    """A text such as "65536", "64K", "256M" or "1G" -> bytes. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,15})([KMG]?)", text)
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 65536, 64K or 256M")
    return int(match[1]) * _UNITS[match[2]]


def parse_count(text: str) -> int:
    """A whole number, 0 or above. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def parse_port(text: str) -> int:
    """A port. Raises ValueError."""
    if ":" in text:
        raise ValueError(f"{text!r} is not a whole number; for an address use --host {text}")
    return parse_count(text)


def parse_level(text: str) -> str:
    """The name of a level, in any case."""
    return {"warn": "warning", "fatal": "critical"}.get(text.lower(), text.lower())


def parse_number(text: str) -> float:
    """A number, 0 or above. Raises ValueError."""
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", text) is None:
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def parse_prefix(text: str) -> str:
    """The beginning of a path. Raises ValueError."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not the beginning of a path, such as /upload")
    return text


class Option(NamedTuple):
    """How one field of `Config` is written and checked.

    A field whose default is False is a flag and takes no value. One whose default is () may be repeated, and each
    occurrence adds to the tuple.
    """

    default: object
    metavar: str
    meaning: str  # the help text: one or more sentences; sizes are bytes, times seconds
    parse: Callable[[str], object] = str  # text -> one value; raises ValueError
    least: float | None = None  # smallest value allowed
    most: float | None = None  # largest value allowed
    choices: tuple[str, ...] | None = None
    shown: str = ""  # the default as help and docs show it, where the value itself is not clear
    also: tuple[str, ...] = ()  # other names on the command line, which other servers have for it
    bare: str = ""  # what an option without a value means, where it may have none
    parsed_type: type = str  # the type of one parsed value, for options that may be repeated


def option(default: object, metavar: str, meaning: str, **more: Any) -> Any:
    """The value of a field of `Config`: an `Option`, with `more` of its fields.

    A number is parsed as its default and its metavar say, and is 0 or more where `least` does not say otherwise.
    """
    if type(default) in (int, float):
        number = parse_count if type(default) is int else parse_number
        more = {"parse": parse_size if metavar == "SIZE" else number, "least": 0, **more}
    return Option(default, metavar, meaning, **more)


def flag(meaning: str) -> Any:
    """As `option`, for one that is off by default."""
    return option(False, "", meaning)


def option_name(name: str) -> str:
    """The name of a field of `Config` -> that on the command line."""
    return "--" + name.replace("_", "-")


def check(value: object, name: str, option: Option) -> None:
    """Raises `UsageError` where `value` has the wrong type for the field `name` or is out of bounds."""
    name = option_name(name)
    kind = type(option.default)
    if kind in (int, float) and (not isinstance(value, (int, float)) or isinstance(value, bool)):
        raise UsageError(f"{name} takes a number, not {value!r}")
    if kind is int and not isinstance(value, int):
        raise UsageError(f"{name} takes a whole number, not {value!r}")
    if kind is bool and not isinstance(value, bool):
        raise UsageError(f"{name} is True or False, not {value!r}")
    if option.choices is not None and value not in (*option.choices, option.default):
        raise UsageError(f"{name} takes one of {', '.join(option.choices)}, not {value!r}")
    if isinstance(value, (int, float)):
        if option.least is not None and not value >= option.least:
            raise UsageError(f"{name} must be {option.least:g} or more, not {value!r}")
        if option.most is not None and not value <= option.most:
            raise UsageError(f"{name} must be {option.most:g} or less, not {value!r}")


def parse_several(values: object, name: str, option: Option) -> tuple[object, ...]:
    """An iterable of values -> a tuple, each parsed as on the command line. Raises `UsageError`."""
    name = option_name(name)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"{name} takes several values, such as a list; not {values!r}")
    values = tuple(values)
    for value in values:
        if not isinstance(value, (str, option.parsed_type)):
            raise UsageError(f"{name} takes texts {option.metavar}, not {value!r}")
    try:
        return tuple(option.parse(value) if isinstance(value, str) else value for value in values)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def shown_default(option: Option) -> str:
    """The default as help and docs show it: 64K, 75, none."""
    value = option.default
    if option.shown:
        return option.shown
    if value is False:
        return "off"
    if value == ():
        return "none"
    if option.parse is parse_size and isinstance(value, int):
        for unit in "GMK":
            if value % _UNITS[unit] == 0:
                return f"{value // _UNITS[unit]}{unit}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def options_table(options: Mapping[str, Option]) -> str:
    """Options, by the names of their fields -> a Markdown table."""
    rows = ["| option | meaning | default |", "| --- | --- | --- |"]
    for name, declared in options.items():
        written = f"{option_name(name)} {declared.metavar}".rstrip()
        rows.append(f"| `{written}` | {declared.meaning} | {shown_default(declared)} |")
    return "\n".join(rows) + "\n"
