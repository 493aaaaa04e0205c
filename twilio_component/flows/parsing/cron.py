"""Cron expressions and time zones: whether they can be used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from twilio_component.flows.model import ConfigVar
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    import datetime as dt

    from twilio_component.flows.model import ConfigVariable, Schedule

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# name, least, most, names for the numbers from the least on
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(\*|[0-9a-z]+(?:-[0-9a-z]+)?)(?:/([0-9]{1,3}))?")


def check_cron(expression: str) -> None:
    """Raise ``ValueError`` with the reason when ``expression`` is not a cron expression of five fields."""
    fields = expression.lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"it has {len(fields)} fields, not 5 (minute hour day-of-month month day-of-week)")
    for text, (name, least, most, names) in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            if not _is_part(part, least, most, names):
                raise ValueError(f"its {name} field must be *, numbers from {least} to {most}, ranges or steps of them")
    _, _, days, months, weekdays = fields
    if weekdays.startswith("*") and min(_first_day(part) for part in days.split(",")) > max(
        _LONGEST_MONTHS[month - 1] for month in _months(months)
    ):
        raise ValueError("it never fires: no month that it names has such a day")


def uneven_steps(expression: str) -> list[str]:
    """Return what is unexpected about steps of minutes or hours that do not divide the hour, or the day, evenly.

    They start again with each hour: ``*/45`` is minute 0 and minute 45, and not every 45 minutes.
    """
    found = []
    for text, name, count, whole in zip(
        expression.split(), ("minute", "hour"), (60, 24), ("hour", "day"), strict=False
    ):
        step = int(text[2:]) if re.fullmatch(r"\*/[0-9]+", text) else 1
        if count % step:
            at = [str(number) for number in range(0, count, step)]
            shown = join_names(at, limit=3) if len(at) > 1 else at[0]
            plural = "s" if len(at) > 1 else ""
            found.append(f"{text} is not every {step} {name}s, but {name}{plural} {shown} of each {whole}")
    return found


def comes_again(cron: str, moment: dt.datetime, zone: str) -> bool:
    """Return whether clocks in ``zone`` (empty for UTC) show this time of ``cron`` again, after they were set back.

    As with cron(8), that concerns only times whose minutes and hours are numbers: ``*/30 * * * *`` means every half an
    hour, also of the hour that comes twice.
    """
    minute, hour = cron.split()[:2]
    is_fixed = not (minute.startswith("*") or hour.startswith("*"))
    return is_fixed and moment.astimezone(ZoneInfo(zone or "UTC")).fold == 1


def _first_day(part: str) -> int:
    first = part.partition("/")[0].partition("-")[0]
    return 1 if first == "*" else int(first)


def _months(text: str) -> set[int]:
    months: set[int] = set()
    for part in text.split(","):
        range_, _, step = part.partition("/")
        first, _, last = range_.partition("-")
        begin = 1 if first == "*" else _number(first, 1, _MONTHS) or 1
        end = _number(last, 1, _MONTHS) or begin if last else 12 if first == "*" or step else begin
        months |= set(range(begin, end + 1, int(step or 1)))
    return months


def _is_part(part: str, least: int, most: int, names: list[str]) -> bool:
    match = _PART.fullmatch(part)
    if match is None or match[2] in ("0", "00", "000"):
        return False
    if match[1] == "*":
        return True
    ends = [_number(end, least, names) for end in match[1].split("-")]
    return all(end is not None and least <= end <= most for end in ends) and sorted(filter(None, ends)) == list(
        filter(None, ends)
    )


def _number(text: str, least: int, names: list[str]) -> int | None:
    if text.isdigit():
        return int(text[:9])
    return names.index(text) + least if text in names else None


def check_time_zone(name: str) -> None:
    """Raise ``ValueError`` when the time zone does not exist."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"'{name[:40]}' is not a time zone; zones look like Europe/Berlin") from error


def schedule_zone(schedule: Schedule, variables: Mapping[str, ConfigVariable]) -> str:
    """The time zone of a schedule: its own, or that of the config variable that holds it; empty for UTC."""
    if schedule.time_zone or not isinstance(schedule.cron, ConfigVar):
        return schedule.time_zone
    variable = variables.get(schedule.cron.name)
    return variable.time_zone if variable is not None else ""
