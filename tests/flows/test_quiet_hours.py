"""Quiet hours by the clock of the recipient: across midnight, weekends, holidays, zones and set clocks."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_component.flows.quiet_hours import (
    QuietZones,
    is_quiet,
    next_time_outside,
    quiet_until,
)
from twilio_component.flows.send_rules import DAYS, QuietHours, read_frequency_caps, read_quiet_hours, read_zone_name

NIGHT = QuietHours(start=dt.time(21), end=dt.time(8))
ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia")


def at(text: str, zone: str, fold: int = 0) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-05-04T20:59", "2026-05-04T20:59"),
        ("2026-05-04T21:00", "2026-05-05T08:00"),
        ("2026-05-05T02:00", "2026-05-05T08:00"),
        ("2026-05-05T08:00", "2026-05-05T08:00"),
    ],
)
def test_a_window_across_midnight_begins_and_ends_by_the_clock(now: str, end: str) -> None:
    for zone in ZONES:
        assert quiet_until(NIGHT, at(now, zone), zone) == at(end, zone)


def test_a_window_within_a_day_is_quiet_only_there() -> None:
    noon = QuietHours(start=dt.time(12), end=dt.time(14))
    assert quiet_until(noon, at("2026-05-04T13:00", "UTC"), "UTC") == at("2026-05-04T14:00", "UTC")
    assert not is_quiet(noon, at("2026-05-04T23:00", "UTC"), "UTC")


def test_quiet_days_and_holidays_last_until_the_next_morning_that_is_not_quiet() -> None:
    rule = QuietHours(
        start=dt.time(20), end=dt.time(9), days=frozenset({5, 6}), holidays=frozenset({dt.date(2026, 5, 25)})
    )
    # Friday evening, before a Monday that is a holiday.
    assert quiet_until(rule, at("2026-05-22T20:30", "Europe/Berlin"), "Europe/Berlin") == at(
        "2026-05-26T09:00", "Europe/Berlin"
    )


@pytest.mark.parametrize(
    ("zone", "rule", "now", "end"),
    [
        # The clock goes from 02:00 to 03:00: 02:30 is never shown.
        ("Europe/Berlin", (0, 30, 2, 30), ("2026-03-29T01:00", 0), ("2026-03-29T03:00", 0)),
        ("America/New_York", (22, 0, 2, 30), ("2026-03-07T23:00", 0), ("2026-03-08T03:00", 0)),
        # The clock shows 02:00 to 03:00 twice: it is quiet twice.
        ("Europe/Berlin", (0, 30, 2, 30), ("2026-10-25T01:00", 0), ("2026-10-25T02:30", 0)),
        ("Europe/Berlin", (0, 30, 2, 30), ("2026-10-25T02:10", 1), ("2026-10-25T02:30", 1)),
        # Half an hour only, and a midnight that is shown twice.
        ("Australia/Lord_Howe", (22, 0, 2, 15), ("2026-10-03T23:00", 0), ("2026-10-04T02:30", 0)),
        ("America/Havana", (23, 0, 1, 0), ("2026-10-31T23:30", 0), ("2026-11-01T01:00", 0)),
        # South of the equator in the other months, and a midnight that is never shown.
        ("Pacific/Auckland", (22, 0, 2, 30), ("2026-09-26T23:00", 0), ("2026-09-27T03:00", 0)),
        ("Pacific/Auckland", (22, 0, 2, 30), ("2026-04-05T02:10", 1), ("2026-04-05T02:30", 1)),
        ("America/Santiago", (22, 0, 0, 30), ("2026-09-05T23:30", 0), ("2026-09-06T01:00", 0)),
        # Samoa went over the date line: it had no December 30.
        ("Pacific/Apia", (22, 0, 7, 0), ("2011-12-29T23:00", 0), ("2011-12-31T07:00", 0)),
    ],
)
def test_a_clock_that_is_set_moves_the_end_no_further_than_it_must(
    zone: str, rule: tuple[int, int, int, int], now: tuple[str, int], end: tuple[str, int]
) -> None:
    window = QuietHours(start=dt.time(*rule[:2]), end=dt.time(*rule[2:]))
    assert quiet_until(window, at(now[0], zone, now[1]), zone) == at(end[0], zone, end[1])


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kathmandu"])
def test_a_holiday_begins_and_ends_at_the_zones_own_midnight(zone: str) -> None:
    rule = QuietHours(start=None, end=None, holidays=frozenset({dt.date(2026, 12, 25)}))
    midnight = at("2026-12-25T00:00", zone)
    assert not is_quiet(rule, midnight - 1, zone)
    assert is_quiet(rule, midnight, zone)
    assert quiet_until(rule, midnight, zone) == at("2026-12-26T00:00", zone)


def test_of_several_zones_the_strictest_counts() -> None:
    quiet = [QuietZones(NIGHT, ("America/New_York", "Pacific/Honolulu"))]
    now = at("2026-05-04T09:00", "America/New_York")  # three in the morning in Honolulu
    assert next_time_outside(quiet, now) == at("2026-05-04T08:00", "Pacific/Honolulu")


def test_two_rules_hold_together_and_zones_that_are_never_awake_together_have_no_time() -> None:
    quiet = [QuietZones(NIGHT, ("UTC",)), QuietZones(QuietHours(start=dt.time(7), end=dt.time(12)), ("UTC",))]
    assert next_time_outside(quiet, at("2026-05-04T22:00", "UTC")) == at("2026-05-05T12:00", "UTC")
    apart = QuietHours(start=dt.time(18), end=dt.time(9))
    assert next_time_outside([QuietZones(apart, ("Europe/London", "Pacific/Auckland"))], 1_777_777_777.0) is None


def test_a_request_that_might_arrive_in_quiet_hours_waits_for_their_end() -> None:
    quiet = [QuietZones(NIGHT, ("UTC",))]
    assert next_time_outside(quiet, at("2026-05-04T20:59:30", "UTC"), margin=18) == at("2026-05-04T20:59:30", "UTC")
    assert next_time_outside(quiet, at("2026-05-04T20:59:50", "UTC"), margin=18) == at("2026-05-05T08:00", "UTC")


times = st.times().map(lambda time: time.replace(second=0, microsecond=0))
rules = st.builds(
    QuietHours,
    start=times,
    end=times,
    days=st.frozensets(st.integers(0, 6), max_size=3),
    holidays=st.frozensets(st.dates(dt.date(2026, 1, 1), dt.date(2027, 12, 31)), max_size=3),
).filter(lambda rule: rule.start != rule.end)


@given(rules, st.sampled_from(ZONES), st.integers(1_767_225_600, 1_798_761_600))
def test_the_end_is_the_first_minute_that_is_not_quiet(rule: QuietHours, zone: str, now: int) -> None:
    end = quiet_until(rule, now, zone)
    assert not is_quiet(rule, end, zone)
    if end == now:
        return
    minute = 60
    checked = range(now, int(end), max(minute, int(end - now) // 500 // minute * minute))
    assert all(is_quiet(rule, moment, zone) for moment in (*checked, int(end) - 1))


def problems_of(raw: Any, read: Any = None) -> dict[str, str]:
    found: dict[str, str] = {}

    def report(path: tuple[str | int, ...], message: str) -> None:
        found[".".join(map(str, path))] = message

    if read is not None:
        read(raw, report)
    else:
        read_quiet_hours(raw, report, read_zone=lambda zone: read_zone_name(zone, report))
    return found


@pytest.mark.parametrize(
    ("raw", "where", "what"),
    [
        ({"from": "21:00"}, "from", "belong together"),
        ({"from": "9pm", "to": "08:00"}, "from", "must be a time of day from 00:00 to 23:59"),
        ({"from": 1260, "to": "08:00"}, "from", "in quotes"),
        ({"from": "08:00", "to": "08:00"}, "to", "another time"),
        ({}, "from", "needs a time"),
        ({"days": "sunday"}, "days", "must be a list of monday"),
        ({"days": ["monday", "sunnday"]}, "days.1", "must be one of monday, .* or sunday; did you mean 'sunday'"),
        (
            {"days": [*DAYS]},
            "days",
            "leave a day",
        ),
        ({"holidays": ["2026-12-25", "25.12.2026"]}, "holidays.1", "date that exists, such as 2026-12-25"),
        ({"holidays": ["2026-02-29"]}, "holidays.0", "date that exists"),
        ({"holidays": 3}, "holidays", "dates"),
        ({"from": "21:00", "to": "08:00", "timeZone": "Berlin"}, "timeZone", "did you mean 'Europe/Berlin'"),
        ({"days": ["sunday"], "defaultTimeZone": "Europe/Berln"}, "defaultTimeZone", "did you mean 'Europe/Berlin'"),
        ({"from": "21:00", "to": "08:00", "defaultTimeZone": "../UTC"}, "defaultTimeZone", "name of a time zone"),
        ({"from": "21:00", "to": "08:00", "exceptReplies": 0}, "exceptReplies", "minutes, at most 1,440"),
        ({"form": "21:00"}, "form", "did you mean 'from'"),
        ("night", "", "must be an object"),
    ],
)
def test_wrong_quiet_hours_are_named(raw: Any, where: str, what: str) -> None:
    assert re.search(what, problems_of(raw)[where])


@pytest.mark.parametrize(
    ("raw", "where", "what"),
    [
        ({}, "", "needs perHour or perDay"),
        ({"perDay": 0}, "perDay", "whole number of messages from 1"),
        ({"perDay": 1.5}, "perDay", "whole number"),
        ({"perDay": True}, "perDay", "whole number"),
        ({"perDay": 1, "exceeded": "wait"}, "exceeded", "must be hold or drop"),
        ({"perWeek": 1}, "perWeek", "is not known"),
    ],
)
def test_wrong_caps_are_named(raw: Any, where: str, what: str) -> None:
    assert what in problems_of(raw, read_frequency_caps)[where]
