"""Formats and parses HTTP-dates (RFC 9110 section 5.6.7) and timestamps (RFC 3339)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1)  # UTC, as all times here
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY: Final = rf"(?:{'|'.join(_DAYS)})"
_LONG_DAY: Final = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})"
_TIME: Final = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

# IMF-fixdate  = day-name "," SP day SP month SP year SP time-of-day SP GMT
# rfc850-date  = day-name-l "," SP 2DIGIT "-" month "-" 2DIGIT SP time-of-day SP GMT
# asctime-date = day-name SP month SP ( 2DIGIT / ( SP 1DIGIT )) SP time-of-day SP year
_FORMS: Final = (
    rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
    rf"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    rf"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)


def format_date(seconds: float) -> str:
    """Seconds since the epoch -> IMF-fixdate; a time outside the years 1 to 9999 becomes the nearest one within."""
    moment = _moment(int(seconds))
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year:04} "
        f"{moment.hour:02}:{moment.minute:02}:{moment.second:02} GMT"
    )


def format_timestamp(seconds: int) -> str:
    """Seconds since the epoch -> "1994-11-06T08:49:37Z" (RFC 3339); outside the years 1 to 9999 the nearest one."""
    return _moment(seconds).isoformat() + "Z"


def _moment(seconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(microsecond=0) if seconds > 0 else datetime.min


def parse_date(text: str, this_year: int) -> int | None:
    """An HTTP-date in any of its three forms -> seconds since the epoch; None for anything else.

    A two-digit year belongs to the century of `this_year`, or to the one before if it would be over 50 years ahead.
    """
    for form in _FORMS:
        match = re.fullmatch(form, text)  # compiled when the first date is read
        if match is None:
            continue
        year = int(match["year"])
        if len(match["year"]) == 2:
            year += this_year - this_year % 100
            if year > this_year + 50:
                year -= 100
        month = _MONTHS.index(match["month"]) + 1
        day = int(match["day"].replace(" ", "0"))
        second = 59 if match["second"] == "60" else int(match["second"])  # a leap second
        try:
            moment = datetime(year, month, day, int(match["hour"]), int(match["minute"]), second)
        except ValueError:
            return None
        return (moment - _EPOCH) // timedelta(seconds=1)
    return None
