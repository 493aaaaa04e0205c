"""Quiet hours: a window of the day, days and dates in which no messages are sent, by the clock of the recipient.

Times are seconds since 1970. Everything goes by what a clock on the wall shows: where it is set back, the hour that it
shows twice is quiet twice; where it is set forward, quiet hours that would end in the hour that it leaves out end then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twilio_component.flows.time_zones import zone_named

if TYPE_CHECKING:
    from twilio_component.flows.send_rules import QuietHours

_LONGEST = 370 * 24 * 3600.0
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietZones:
    """Quiet hours, and the names of the zones that the recipient may be in: it is quiet if it is in one of them."""

    rule: QuietHours
    zones: tuple[str, ...]


def next_time_outside(quiet: Collection[QuietZones], now: float, margin: float = 0.0) -> float | None:
    """The earliest time from ``now`` on that is in none of the quiet hours, and neither is the time ``margin`` later.

    None when there is none within a year: in each moment it is quiet in one of the zones.
    """
    moment = now
    while moment < now + _LONGEST:
        later = max((_free_from(one.rule, moment, margin, zone) for one in quiet for zone in one.zones), default=moment)
        if later <= moment:
            return moment
        moment = later
    return None


def _free_from(rule: QuietHours, moment: float, margin: float, zone: str) -> float:
    until = quiet_until(rule, moment, zone)
    if until > moment or not margin or not is_quiet(rule, moment + margin, zone):
        return until
    return quiet_until(rule, moment + margin, zone)


def is_quiet(rule: QuietHours, moment: float, zone: str) -> bool:
    """Whether it is quiet in the zone at this time."""
    local = dt.datetime.fromtimestamp(moment, zone_named(zone))
    return _is_quiet_day(rule, local.date()) or _is_in_window(rule, local.time())


def quiet_until(rule: QuietHours, moment: float, zone: str) -> float:
    """The end of the quiet hours in which ``moment`` lies in the zone; ``moment`` itself when it lies in none."""
    found, last = moment, moment + _LONGEST
    while found < last:
        local = dt.datetime.fromtimestamp(found, zone_named(zone))
        if _is_quiet_day(rule, local.date()):
            found = _first_time(local.date() + _DAY, dt.time.min, zone, found)
        elif _is_in_window(rule, local.time()):
            assert rule.end is not None  # noqa: S101 - there is a window
            day = local.date() if local.time() < rule.end else local.date() + _DAY
            found = _first_time(day, rule.end, zone, found)
        else:
            return found
    return found


def _is_quiet_day(rule: QuietHours, day: dt.date) -> bool:
    return day.weekday() in rule.days or day in rule.holidays


def _is_in_window(rule: QuietHours, time: dt.time) -> bool:
    if rule.start is None or rule.end is None:
        return False
    if rule.start < rule.end:
        return rule.start <= time < rule.end
    return time >= rule.start or time < rule.end


def _first_time(day: dt.date, time: dt.time, zone: str, after: float) -> float:
    """The first moment after ``after`` at which a clock in the zone shows this time, or would have shown it."""
    wanted = dt.datetime.combine(day, time, zone_named(zone))
    first, second = wanted.timestamp(), wanted.replace(fold=1).timestamp()
    if first > second:  # the clock leaves this time out: the moment at which it is set forward
        return _set_forward(second, first, wanted.replace(tzinfo=None), zone)
    return first if first > after else max(second, after + 1)


def _set_forward(before: float, after: float, wanted: dt.datetime, zone: str) -> float:
    low, high = int(before), int(after)
    while high - low > 1:
        middle = (low + high) // 2
        if dt.datetime.fromtimestamp(middle, zone_named(zone)).replace(tzinfo=None) < wanted:
            low = middle
        else:
            high = middle
    return float(high)
