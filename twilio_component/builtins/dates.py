"""Points in time: now, moved, compared and written in another form or zone."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from twilio_component.flows.expressions.dates import moment
from twilio_component.flows.findings import EvaluationError
from twilio_component.host.errors import PerformError
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from twilio_component.host.context import Context

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TOKEN = re.compile(r"\[[^\]]*\]|YYYY|YY|MMMM|MMM|MM|M|DD|D|dddd|ddd|HH|H|hh|h|mm|m|ss|s|SSS|A|a|ZZ|Z|X|x")
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_FORMATS: dict[str, Callable[[dt.datetime], str]] = {
    "YYYY": lambda at: f"{at.year:04}",
    "YY": lambda at: f"{at.year % 100:02}",
    "MMMM": lambda at: _MONTHS[at.month - 1],
    "MMM": lambda at: _MONTHS[at.month - 1][:3],
    "MM": lambda at: f"{at.month:02}",
    "M": lambda at: str(at.month),
    "DD": lambda at: f"{at.day:02}",
    "D": lambda at: str(at.day),
    "dddd": lambda at: _DAYS[at.weekday()],
    "ddd": lambda at: _DAYS[at.weekday()][:3],
    "HH": lambda at: f"{at.hour:02}",
    "H": lambda at: str(at.hour),
    "hh": lambda at: f"{(at.hour - 1) % 12 + 1:02}",
    "h": lambda at: str((at.hour - 1) % 12 + 1),
    "mm": lambda at: f"{at.minute:02}",
    "m": lambda at: str(at.minute),
    "ss": lambda at: f"{at.second:02}",
    "s": lambda at: str(at.second),
    "SSS": lambda at: f"{at.microsecond // 1000:03}",
    "A": lambda at: "AM" if at.hour < 12 else "PM",  # noqa: PLR2004 - noon
    "a": lambda at: "am" if at.hour < 12 else "pm",  # noqa: PLR2004 - noon
    "Z": lambda at: at.isoformat()[-6:],
    "ZZ": lambda at: at.isoformat()[-6:].replace(":", ""),
    "X": lambda at: str(_milliseconds(at) // 1000),
    "x": lambda at: str(_milliseconds(at)),
}
_UNITS = {"milliseconds": 1, "seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}


async def now(_context: Context, inputs: dict[str, Any]) -> str | int:
    """The current time in UTC, as ISO 8601 or in seconds since 1970."""
    current = dt.datetime.now(dt.UTC)
    return _milliseconds(current) // 1000 if inputs["displayEpochInSeconds"] else iso_time(current)


async def adjust(_context: Context, inputs: dict[str, Any]) -> str:
    """The time, later (or earlier) by days, hours, minutes and seconds, in ISO 8601."""
    parts = {name: inputs[f"{name}Input"] for name in ("days", "hours", "minutes", "seconds")}
    try:
        return iso_time(_time(inputs["dateTimeInput"]) + dt.timedelta(**parts))
    except OverflowError as error:
        raise PerformError("there is no such time: years go from 1 to 9999") from error


async def to_iso(_context: Context, inputs: dict[str, Any]) -> str:
    """The time in UTC, in ISO 8601; one without an offset is taken to be in the time zone."""
    return iso_time(_time(inputs["dateTimeInput"], _zone(inputs["timezone"])))


async def to_local_iso(_context: Context, inputs: dict[str, Any]) -> str:
    """The time in the time zone, in ISO 8601 with its offset."""
    return _time(inputs["dateTimeInput"]).astimezone(_zone(inputs["timezone"])).isoformat(timespec="milliseconds")


async def to_epoch(_context: Context, inputs: dict[str, Any]) -> int:
    """The time in milliseconds, or seconds, since 1970."""
    milliseconds = _milliseconds(_time(inputs["dateTimeInput"]))
    return milliseconds // 1000 if inputs["displayEpochInSeconds"] else milliseconds


async def from_epoch(_context: Context, inputs: dict[str, Any]) -> str:
    """The time so many milliseconds, or seconds, after 1970, in ISO 8601."""
    number = inputs["epochTimestamp"] * (1000 if inputs["epochInSeconds"] else 1)
    try:
        return iso_time(_EPOCH + dt.timedelta(milliseconds=number))
    except OverflowError as error:
        raise PerformError("there is no such time: years go from 1 to 9999") from error


async def write(_context: Context, inputs: dict[str, Any]) -> str:
    """The time in the time zone, in the given format."""
    at = _time(inputs["dateTimeInput"]).astimezone(_zone(inputs["timezone"]))
    return _TOKEN.sub(
        lambda match: match[0][1:-1] if match[0].startswith("[") else _FORMATS[match[0]](at), inputs["format"]
    )


async def difference(_context: Context, inputs: dict[str, Any]) -> int | float:
    """How much later the second time is than the first, in a unit."""
    milliseconds = _milliseconds(_time(inputs["endDateTime"])) - _milliseconds(_time(inputs["startDateTime"]))
    amount = milliseconds / _UNITS[inputs["unit"]]
    return int(amount) if amount.is_integer() else amount


def _time(value: Any, zone: ZoneInfo | None = None) -> dt.datetime:
    try:
        found = moment(value, zone)
    except EvaluationError as error:
        raise PerformError(str(error)) from error
    if found is None:
        raise PerformError("the date or time is missing")
    return found


def _zone(name: str) -> ZoneInfo:
    # The documents' default is written etc/UTC; names are found whatever their case is.
    try:
        return ZoneInfo("UTC" if name.lower() in ("utc", "etc/utc") else name)
    except (KeyError, ValueError, OSError) as error:
        raise PerformError(f"'{name[:40]}' is not a time zone; zones look like Europe/Berlin") from error


def _milliseconds(at: dt.datetime) -> int:
    return (at - _EPOCH) // dt.timedelta(milliseconds=1)
