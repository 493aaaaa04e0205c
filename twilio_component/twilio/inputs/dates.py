"""Dates on their way to and from Twilio."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from twilio_component.host.serialization import iso_time

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTHS = {
    name: f"{number:02d}"
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}
_RFC_2822_LENGTH = len("Thu, 24 Aug 2023 05:01:45 +0000")


def clean_date_time(value: str, _inputs: Mapping[str, Any]) -> str:
    """A date and time with zone, as ``2026-01-31T12:00:00Z``; without a zone it is refused as ambiguous."""
    try:
        moment = dt.datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise ValueError("must be a date and time such as 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00") from error
    if moment.tzinfo is None:
        raise ValueError("must say its time zone: add Z for UTC or an offset such as +01:00")
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def clean_day(value: str, _inputs: Mapping[str, Any]) -> str:
    """A day (``2026-01-31``)."""
    try:
        return f"{dt.date.fromisoformat(value.strip()):%Y-%m-%d}"
    except ValueError as error:
        raise ValueError("must be a day such as 2026-01-31") from error


def clean_day_or_time(value: str, inputs: Mapping[str, Any]) -> str:
    """A day (``2026-01-31``, in UTC) or a date and time with zone, as Twilio's ``DateSent`` filters take them."""
    return clean_day(value, inputs) if _DAY.fullmatch(value.strip()) else clean_date_time(value, inputs)


def iso_from_rfc_2822(value: str | None) -> str | None:
    """Twilio's date as ISO 8601 with milliseconds; None stays None, and what is no such date stays as it is."""
    if value is None:
        return None
    # The one form that Twilio uses, cut by position: a list of messages has three dates each, most of the same day.
    if len(value) == _RFC_2822_LENGTH and value[25:] == " +0000" and (day := _iso_day(value[5:16])):
        return f"{day}T{value[17:25]}.000Z"
    try:
        return iso_time(parsedate_to_datetime(value))
    except ValueError:
        return value


@lru_cache(maxsize=64)
def _iso_day(text: str) -> str:
    """``24 Aug 2023`` as ``2023-08-24``; empty for anything else."""
    day, month, year = text[:2], text[3:6], text[7:]
    return f"{year}-{_MONTHS[month]}-{day}" if month in _MONTHS and (day + year).isdigit() else ""
