"""Rules about sending that a flow, a step or a configuration may have: quiet hours and frequency caps."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import available_timezones

from twilio_component.flows.time_zones import is_zone
from twilio_component.host.errors import DocumentError, did_you_mean, join_names
from twilio_component.host.inputs.messages import type_name

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
QUIET_HOURS_KEYS = ("from", "to", "days", "holidays", "timeZone", "defaultTimeZone", "exceptReplies")
QUIET_TIMES = frozenset(QUIET_HOURS_KEYS[:4])
CAP_KEYS = ("perHour", "perDay", "exceeded")
HOUR, DAY = 3600.0, 24 * 3600.0
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_LONGEST_REPLY_MINUTES = 24 * 60
_MOST_MESSAGES = 1_000

Report = Callable[[tuple[str | int, ...], str], None]
"""Reports what is wrong with the value at a path."""


class _Wrong(Protocol):
    def __call__(self, key: str, message: str, *place: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From ``start`` to ``end`` no messages are sent, nor on ``days`` (0 is Monday) and ``holidays``.

    ``zone`` names the recipient's time zone: an input in a flow, text in a configuration, None where the number tells.
    ``otherwise`` is the zone of a number that tells none. A message passes in spite of this when its recipient has
    written to its sender within ``except_replies`` seconds.
    """

    start: dt.time | None = None
    end: dt.time | None = None
    days: frozenset[int] = frozenset()
    holidays: frozenset[dt.date] = frozenset()
    zone: Any = None
    otherwise: str = "UTC"
    except_replies: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyCaps:
    """How many messages a person may be sent within any hour and any day; ``drops`` what is more, else it is held."""

    per_hour: int | None = None
    per_day: int | None = None
    drops: bool = False

    def limits(self) -> tuple[tuple[int, float], ...]:
        """Each limit with its seconds."""
        both = ((self.per_hour, HOUR), (self.per_day, DAY))
        return tuple((limit, period) for limit, period in both if limit is not None)


def read_quiet_hours(raw: Any, report: Report, *, read_zone: Callable[[Any], Any]) -> QuietHours | None:
    """The quiet hours that ``raw`` declares; None when something is wrong, all of which is reported."""
    if not isinstance(raw, Mapping):
        report((), f"must be an object with {join_names(QUIET_HOURS_KEYS)}, not {type_name(raw)}")
        return None
    wrong = unknown_keys(raw, QUIET_HOURS_KEYS, report)

    def wrong_value(key: str, message: str, *place: int) -> None:
        wrong.append(key)
        report((key, *place), message)

    start, end = _time(raw, "from", wrong_value), _time(raw, "to", wrong_value)
    if ("from" in raw) != ("to" in raw):
        wrong_value("from" if "from" in raw else "to", "from and to belong together")
    elif start is not None and start == end:
        wrong_value("to", "must be another time than from")
    days = _days(raw.get("days", []), wrong_value)
    if len(days) == len(DAYS):
        wrong_value("days", "must leave a day on which messages may be sent")
    holidays = _holidays(raw.get("holidays", []), wrong_value)
    otherwise = raw.get("defaultTimeZone", "UTC")
    if not _is_zone(otherwise):
        wrong_value("defaultTimeZone", _about_zone(otherwise))
    minutes = raw.get("exceptReplies")
    if minutes is not None and not _is_number(minutes, _LONGEST_REPLY_MINUTES):
        wrong_value("exceptReplies", f"must be a number of minutes, at most {_LONGEST_REPLY_MINUTES:,}")
    # A key that is wrong, or that is not known, was meant to say when.
    if not (start or days or holidays or any(key in QUIET_TIMES or key not in QUIET_HOURS_KEYS for key in wrong)):
        wrong_value("from", "quietHours needs a time (from and to), days or holidays")
    zone = read_zone(raw["timeZone"]) if raw.get("timeZone") is not None else None
    has_zone = _is_zone(raw.get("timeZone")) or _do_numbers_tell_zones(report)
    if wrong or not has_zone:
        return None
    return QuietHours(
        start=start,
        end=end,
        days=days,
        holidays=holidays,
        zone=zone,
        otherwise=otherwise,
        except_replies=None if minutes is None else minutes * 60.0,
    )


def read_frequency_caps(raw: Any, report: Report) -> FrequencyCaps | None:
    """The frequency caps that ``raw`` declares; None when something is wrong, all of which is reported."""
    if not isinstance(raw, Mapping):
        report((), f"must be an object with {join_names(CAP_KEYS)}, not {type_name(raw)}")
        return None
    is_right = has_known_keys = not unknown_keys(raw, CAP_KEYS, report)
    for key in ("perHour", "perDay"):
        value = raw.get(key)
        if value is not None and not (_is_number(value, _MOST_MESSAGES) and isinstance(value, int)):
            report((key,), f"must be a whole number of messages from 1 to {_MOST_MESSAGES:,}")
            is_right = False
    if has_known_keys and raw.get("perHour") is None and raw.get("perDay") is None:
        report((), "needs perHour or perDay")
        is_right = False
    if raw.get("exceeded", "hold") not in ("hold", "drop"):
        report(("exceeded",), "must be hold or drop")
        is_right = False
    if not is_right:
        return None
    return FrequencyCaps(
        per_hour=raw.get("perHour"), per_day=raw.get("perDay"), drops=raw.get("exceeded", "hold") == "drop"
    )


def unknown_keys(raw: Mapping[Any, Any], keys: tuple[str, ...], report: Report) -> list[str]:
    """The keys of ``raw`` that are none of ``keys``; each is reported."""
    unknown = [str(key) for key in raw if key not in keys]
    for key in unknown:
        report((key,), f"is not known{did_you_mean(key, keys) or f' (known: {join_names(keys)})'}")
    return unknown


def read_zone_name(raw: Any, report: Report) -> str | None:
    """The name of a time zone in a configuration; None when it is none, which is reported."""
    if _is_zone(raw):
        return str(raw)
    report(("timeZone",), _about_zone(raw))
    return None


def _about_zone(raw: Any) -> str:
    """What a time zone must be, with the one that was perhaps meant."""
    known = available_timezones()
    names = {name.rpartition("/")[2]: name for name in sorted(known, reverse=True)}
    written = raw if isinstance(raw, str) else ""
    hint = did_you_mean(names.get(written, written), known)
    return f"must be the name of a time zone, such as Europe/Berlin{hint}"


def _do_numbers_tell_zones(report: Report) -> bool:
    """Whether the table is there from which numbers tell their zones; what is wrong with it is reported."""
    from twilio_component.flows.number_zones import check_table

    try:
        check_table()
    except DocumentError as error:
        report((), f"needs the time zones of phone numbers: {'; '.join(map(str, error.problems))}")
        return False
    return True


def _time(raw: Mapping[str, Any], key: str, wrong: _Wrong) -> dt.time | None:
    if key not in raw:
        return None
    found = _TIME.fullmatch(raw[key]) if isinstance(raw[key], str) else None
    if found is None:
        wrong(key, "must be a time of day from 00:00 to 23:59, in quotes")
        return None
    return dt.time(int(found[1]), int(found[2]))


def _days(raw: Any, wrong: _Wrong) -> frozenset[int]:
    if not isinstance(raw, list):
        wrong("days", f"must be a list of {join_names(DAYS)}")
        return frozenset()
    found = set()
    for place, day in enumerate(raw):
        if isinstance(day, str) and day.lower() in DAYS:
            found.add(DAYS.index(day.lower()))
        else:
            wrong("days", f"must be one of {join_names(DAYS, word='or')}{did_you_mean(str(day), DAYS)}", place)
    return frozenset(found)


def _holidays(raw: Any, wrong: _Wrong) -> frozenset[dt.date]:
    if not isinstance(raw, list):
        wrong("holidays", "must be a list of dates, such as 2026-12-25")
        return frozenset()
    found = set()
    for place, day in enumerate(raw):
        try:
            found.add(dt.date.fromisoformat(day))
        except (TypeError, ValueError):
            wrong("holidays", "must be a date that exists, such as 2026-12-25", place)
    return frozenset(found)


def _is_zone(name: Any) -> bool:
    return isinstance(name, str) and is_zone(name)


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= most
