"""One option: how it is written on the command line, parsed, checked and shown. `config.py` declares them all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import Field, dataclass, field
from typing import Any, Final, TypeAlias

from tpserver.errors import UsageError

_SIZE: Final = re.compile(r"([0-9]{1,15})([KMG]?)")
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


ConfigField: TypeAlias = Field[Any]


def parse_size(text: str) -> int:
    """A text such as "65536", "64K", "256M" or "1G" -> bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 65536, 64K or 256M")
    return int(match[1]) * _UNITS[match[2]]


def parse_count(text: str) -> int:
    """A whole number, 0 or above. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def parse_number(text: str) -> float:
    """A number, 0 or above. Raises ValueError."""
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def parse_prefix(text: str) -> str:
    """The beginning of a path. Raises ValueError."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not the beginning of a path, such as /upload")
    return text


@dataclass(frozen=True)
class Option:
    """How one field of `Config` is written and checked.

    A field whose default is False is a flag and takes no value. One whose default is () may be repeated, and each
    occurrence adds to the tuple.
    """

    metavar: str
    meaning: str  # the help text: one or more sentences; sizes are bytes, times seconds
    parse: Callable[[str], object] = str  # text -> one value; raises ValueError
    least: float | None = None  # smallest value allowed
    most: float | None = None  # largest value allowed
    choices: tuple[str, ...] | None = None
    shown: str = ""  # the default as help and docs show it, where the value itself is not clear
    parsed_type: type = object  # the type of one parsed value, for options that may be repeated


def option(
    default: object,
    metavar: str,
    meaning: str,
    *,
    parse: Callable[[str], object] = str,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] | None = None,
    shown: str = "",
    parsed_type: type = object,
) -> Any:
    """A dataclass field that carries an `Option`; the parameters are its fields."""
    declared = Option(metavar, meaning, parse, least, most, choices, shown, parsed_type)
    return field(default=default, metadata={"option": declared})


def option_name(declared: ConfigField) -> str:
    """A field of `Config` -> its name on the command line."""
    return "--" + declared.name.replace("_", "-")


def check(value: object, declared: ConfigField) -> None:
    """Raises `UsageError` where `value` has the wrong type for its option or is out of bounds."""
    limits: Option = declared.metadata["option"]
    name = option_name(declared)
    kind = type(declared.default)
    if kind in (int, float) and (not isinstance(value, (int, float)) or isinstance(value, bool)):
        raise UsageError(f"{name} takes a number, not {value!r}")
    if kind is int and not isinstance(value, int):
        raise UsageError(f"{name} takes a whole number, not {value!r}")
    if kind is bool and not isinstance(value, bool):
        raise UsageError(f"{name} is True or False, not {value!r}")
    if kind is tuple and (isinstance(value, str) or not isinstance(value, Iterable)):
        raise UsageError(f"{name} takes several values, such as a list; not {value!r}")
    if limits.choices is not None and value not in limits.choices:
        raise UsageError(f"{name} takes one of {', '.join(limits.choices)}, not {value!r}")
    if isinstance(value, (int, float)):
        if limits.least is not None and not value >= limits.least:
            raise UsageError(f"{name} must be {limits.least:g} or more, not {value!r}")
        if limits.most is not None and not value <= limits.most:
            raise UsageError(f"{name} must be {limits.most:g} or less, not {value!r}")


def parse_several(value: object, declared: ConfigField) -> object:
    """An iterable of values -> a tuple, each parsed as on the command line. Raises `UsageError`.

    A value that is not an iterable, or is a str, is returned as it is: `check` refuses it.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    limits: Option = declared.metadata["option"]
    items = tuple(value)
    for item in items:
        if not isinstance(item, (str, limits.parsed_type)):
            raise UsageError(f"{option_name(declared)} takes texts {limits.metavar}, not {item!r}")
    try:
        return tuple(limits.parse(item) if isinstance(item, str) else item for item in items)
    except ValueError as error:
        raise UsageError(f"{option_name(declared)}: {error}") from None


def shown_default(declared: ConfigField, limits: Option) -> str:
    """The default as help and docs show it: 64K, 75, none."""
    value: object = declared.default
    if limits.shown:
        return limits.shown
    if value is False:
        return "off"
    if value == ():
        return "none"
    if limits.parse is parse_size and isinstance(value, int):
        for unit in "GMK":
            if value % _UNITS[unit] == 0:
                return f"{value // _UNITS[unit]}{unit}"
    return f"{value:g}" if isinstance(value, float) else str(value)
