"""Dates and times in flows: read, moved, compared and written."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from twilio_component.flows.expressions.dates import moment
from twilio_component.flows.findings import EvaluationError
from twilio_component.host import Host
from twilio_component.host.errors import PerformError

NOON, BERLIN = "2026-01-31T12:00:00Z", "Europe/Berlin"


async def act(action: str, **inputs: Any) -> Any:
    async with Host.discover() as host:
        return (await host.invoke_action("datetime", action, inputs))["data"]


@pytest.mark.parametrize(
    ("action", "inputs", "result"),
    [
        ("adjustDateTime", {"dateTimeInput": NOON, "daysInput": "1", "hoursInput": -1}, "2026-02-01T11:00:00.000Z"),
        ("adjustDateTime", {"dateTimeInput": 1769860800, "minutesInput": 1.5}, "2026-01-31T12:01:30.000Z"),
        ("formatDateTime", {"dateTimeInput": NOON}, "2026-01-31T12:00:00.000+00:00"),
        (
            "formatDateTime",
            {"dateTimeInput": NOON, "timezone": "America/New_York", "format": "dddd, MMMM D [at] h:mm A"},
            "Saturday, January 31 at 7:00 AM",
        ),
        (
            "formatDateTime",
            {"dateTimeInput": "2026-07-01T00:30:05.007+02:00", "timezone": BERLIN, "format": "YY DDMM hh HH s SSS ZZ"},
            "26 0107 12 00 5 007 +0200",
        ),
        (
            "convertDateTimeToIsoString",
            {"dateTimeInput": "2026-07-01 09:00", "timezone": BERLIN},
            "2026-07-01T07:00:00.000Z",
        ),
        (
            "convertDateTimeToLocalIsoString",
            {"dateTimeInput": NOON, "timezone": "Asia/Kolkata"},
            "2026-01-31T17:30:00.000+05:30",
        ),
        ("convertDateToEpoch", {"dateTimeInput": NOON}, 1769860800000),
        ("convertDateToEpoch", {"dateTimeInput": NOON, "displayEpochInSeconds": "true"}, 1769860800),
        ("convertEpochToDate", {"epochTimestamp": "1769860800", "epochInSeconds": "true"}, "2026-01-31T12:00:00.000Z"),
        ("difference", {"startDateTime": NOON, "endDateTime": "2026-02-01", "unit": "hours"}, 12),
        ("difference", {"startDateTime": "2026-03-29", "endDateTime": "2026-03-28T12:00:00Z", "unit": "days"}, -0.5),
    ],
)
async def test_an_action_returns_what_its_name_says(action: str, inputs: dict[str, Any], result: Any) -> None:
    assert await act(action, **inputs) == result


async def test_the_current_time_is_now() -> None:
    before = dt.datetime.now(dt.UTC) - dt.timedelta(milliseconds=1)
    now = dt.datetime.fromisoformat(await act("getCurrentDateTime"))
    assert before <= now <= dt.datetime.now(dt.UTC)
    assert abs(await act("getCurrentDateTime", displayEpochInSeconds=True) - before.timestamp()) < 60


@pytest.mark.parametrize(
    ("action", "inputs", "message"),
    [
        ("adjustDateTime", {"dateTimeInput": "tomorrow"}, "a date or a time is needed"),
        ("adjustDateTime", {"dateTimeInput": NOON, "daysInput": 10_000_000}, "years go from 1 to 9999"),
        ("convertEpochToDate", {"epochTimestamp": 1e18}, "years go from 1 to 9999"),
        ("formatDateTime", {"dateTimeInput": NOON, "timezone": "Mars/Olympus"}, "'Mars/Olympus' is not a time zone"),
    ],
)
async def test_what_cannot_be_done_is_said(action: str, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(PerformError, match=message):
        await act(action, **inputs)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2021-01", "2021-01-01T00:00:00+00:00"),
        ("2021-01-01T24:00:00Z", "2021-01-02T00:00:00+00:00"),
        ("2021-W11-6", "2021-03-20T00:00:00+00:00"),
        ("2021-079", "2021-03-20T00:00:00+00:00"),
        ("20210320T125030,5+0130", "2021-03-20T12:50:30.500000+01:30"),
        ("2021-03-20 12:50", "2021-03-20T12:50:00+00:00"),
        ("Sat, 20 Mar 2021 12:50:30 +0000", "2021-03-20T12:50:30+00:00"),
        (1616198400, "2021-03-20T00:00:00+00:00"),
        ("1616198400000", "2021-03-20T00:00:00+00:00"),
        (-86400, "1969-12-31T00:00:00+00:00"),
        (True, "1970-01-01T00:00:01+00:00"),
    ],
)
def test_a_point_in_time_is_read_in_every_form(value: Any, expected: str) -> None:
    found = moment(value)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    "value", ["2021-02-30", "2021-13", "2021-366", "2021-W60", "2021-03-20T25:00", "12:50", 0, [1], {}]
)
def test_what_is_not_a_date_is_refused(value: Any) -> None:
    with pytest.raises(EvaluationError):
        moment(value)


@pytest.mark.parametrize("value", [None, "", 1e300, float("inf")])
def test_what_is_missing_or_beyond_any_calendar_is_not_a_point_in_time(value: Any) -> None:
    assert moment(value) is None
