"""Formats and parses HTTP-dates (RFC 9110 section 5.6.7) and timestamps (RFC 3339).

All times are UTC. The calendar is here, since `datetime` takes 2 ms of each start and half a megabyte, and what
`time.gmtime` can do depends on the system.
"""

from __future__ import annotations

import re
from typing import Final

# 1 January of the year 1, and the last second of the year 9999.
_FIRST: Final = -62135596800
_LAST: Final = 253402300799
_DAY_SECONDS: Final = 86400
# Days from 1 March of the year 0 to the epoch, and in 400 years, after which the calendar repeats.
_TO_EPOCH: Final = 719468
_ERA: Final = 146097
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
    days, time = _divided(int(seconds))
    year, month, day = _date(days)
    return f"{_DAYS[(days + 3) % 7]}, {day:02} {_MONTHS[month - 1]} {year:04} {time} GMT"  # the epoch was a Thursday


def format_timestamp(seconds: int) -> str:
    """Seconds since the epoch -> "1994-11-06T08:49:37Z" (RFC 3339); outside the years 1 to 9999 the nearest one."""
    days, time = _divided(seconds)
    year, month, day = _date(days)
    return f"{year:04}-{month:02}-{day:02}T{time}Z"


def _divided(seconds: int) -> tuple[int, str]:
    """Seconds since the epoch -> whole days since then, and the time of day."""
    days, rest = divmod(min(max(seconds, _FIRST), _LAST), _DAY_SECONDS)
    return days, f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


def _date(days: int) -> tuple[int, int, int]:
    """Days since the epoch -> year, month and day of the Gregorian calendar.

    Years are counted from 1 March, so that a leap day is the last one of its year.
    """
    era, day = divmod(days + _TO_EPOCH, _ERA)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153  # from March on, months have 31, 30, 31, 30 and 31 days, 153 in all, and so on
    day -= (153 * month + 2) // 5
    year += 400 * era
    return (year, month + 3, day + 1) if month < 10 else (year + 1, month - 9, day + 1)


def _days(year: int, month: int, day: int) -> int:
    """The inverse. A day beyond the end of its month is one of the next month."""
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 1 - _TO_EPOCH


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
        hour, minute = int(match["hour"]), int(match["minute"])
        second = 59 if match["second"] == "60" else int(match["second"])  # a leap second
        days = _days(year, month, day)
        if _date(days) != (year, month, day) or year < 1 or hour > 23 or minute > 59 or second > 59:
            return None
        return days * _DAY_SECONDS + hour * 3600 + minute * 60 + second
    return None
