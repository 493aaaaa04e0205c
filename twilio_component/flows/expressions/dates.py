"""Points in time, as conditions and the ``datetime`` component read them."""

from __future__ import annotations

import datetime as dt
import math
import re
from email.utils import parsedate_to_datetime
from typing import Any

from twilio_component.flows.expressions.javascript import ABSENT, to_number
from twilio_component.flows.findings import EvaluationError

# From here on a number is milliseconds since 1970: as seconds it would be a day in the year 5138.
_MILLISECONDS_FROM = 1e11
_DATE = re.compile(
    r"(?P<year>[0-9]{4})"
    r"(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?|(?P<month2>[0-9]{2})(?P<day2>[0-9]{2})"
    r"|-?W(?P<week>[0-9]{2})(?:-?(?P<weekday>[1-7]))?|-?(?P<ordinal>[0-9]{3}))?"
)
_TIME = re.compile(
    r"(?P<hour>[0-9]{2})(?::?(?P<minute>[0-9]{2})(?::?(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]*))?)?)?"
    r"\s?(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_MOMENT_NEEDED = "a date or a time is needed, such as 2026-01-31T12:00:00Z, or a number of seconds or milliseconds"


def moment(value: Any, zone: dt.tzinfo | None = None) -> dt.datetime | None:
    """A point in time: ISO 8601, the form of mail headers, or a number; None for what is missing.

    Numbers, also as text, are seconds or milliseconds since 1970, told apart by their size. A time without a zone is
    in ``zone``, or UTC; milliseconds are the smallest unit. Raises ``EvaluationError`` for anything else.
    """
    if value is None or value is ABSENT or value == "":
        return None
    try:
        number = math.nan if isinstance(value, (dict, list)) else to_number(value)
        if not math.isnan(number):
            return _from_number(number)
        found = read_date(str(value).strip())
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise EvaluationError(_MOMENT_NEEDED) from error
    return found.replace(tzinfo=zone or dt.UTC) if found.tzinfo is None else found


def _from_number(number: float) -> dt.datetime | None:
    if number == 0:
        raise ValueError("0 is not a date")
    try:
        milliseconds = int(number if abs(number) >= _MILLISECONDS_FROM else number * 1000)
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None  # later than any date: as in JavaScript, it is neither before nor after another


def read_date(text: str) -> dt.datetime:
    """The date and time in ISO 8601 text (a year or a month is its first moment), or in the form of mail headers."""
    day, separator, time = text.replace(" ", "T", 1).partition("T") if text[:4].isdigit() else (text, "", "")
    match = _DATE.fullmatch(day)
    if match is None or (separator and not time):
        return parsedate_to_datetime(text)
    date = dt.datetime.combine(_day(match), dt.time())
    return _at(date, time) if time else date


def _day(match: re.Match[str]) -> dt.date:
    year = int(match["year"])
    if match["week"] is not None:
        return dt.date.fromisocalendar(year, int(match["week"]), int(match["weekday"] or 1))
    if match["ordinal"] is not None:
        found = dt.date(year, 1, 1) + dt.timedelta(days=int(match["ordinal"]) - 1)
        if found.year != year:
            raise ValueError("the year has no such day")
        return found
    return dt.date(year, int(match["month"] or match["month2"] or 1), int(match["day"] or match["day2"] or 1))


def _at(date: dt.datetime, text: str) -> dt.datetime:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("the time cannot be read")
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    fraction = dt.timedelta(milliseconds=int(f"{match['fraction'] or ''}000"[:3]))
    is_midnight = hour == 24 and not (minute or second or fraction)  # noqa: PLR2004 - ISO 8601's end of a day
    if (hour > 23 and not is_midnight) or minute > 59 or second > 59:  # noqa: PLR2004 - a clock's numbers
        raise ValueError("there is no such time")
    date += dt.timedelta(hours=hour, minutes=minute, seconds=second) + fraction
    return date.replace(tzinfo=_zone(match["zone"])) if match["zone"] else date


def _zone(text: str) -> dt.timezone:
    if text == "Z":
        return dt.UTC
    digits = text[1:].replace(":", "")
    offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return dt.timezone(-offset if text[0] == "-" else offset)
