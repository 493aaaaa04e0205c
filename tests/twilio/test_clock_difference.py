"""Twilio's clock and ours differ: its responses tell by how much, and a message is found in spite of it."""

from __future__ import annotations

import datetime as dt
import logging
import time
from email.utils import formatdate

import pytest

from twilio_component.emulator import Emulator
from twilio_component.host import Context, Host
from twilio_component.testing import emulator_connection
from twilio_component.twilio.clock_difference import ClockDifference

SMS = {"twilioConnection": emulator_connection(), "to": "+16055551212", "from": "+15017122661", "message": "Hello"}


@pytest.mark.parametrize("ahead", [-86_400, -3_600, -40, 0, 40, 3_600])
async def test_a_message_is_found_however_far_twilios_clock_is_from_ours(
    ahead: int, caplog: pytest.LogCaptureFixture
) -> None:
    now = dt.datetime.now(dt.UTC)
    emulator = Emulator(start=now + dt.timedelta(seconds=ahead))
    async with Host.discover(transport=emulator.transport) as host:
        sent = await host.invoke_action("twilio", "sendSMS", SMS)
        with caplog.at_level(logging.WARNING):
            found = await host.look_for("twilio", "sendSMS", SMS, now - dt.timedelta(seconds=1), context=Context())
    assert [one.id for one in found] == [sent["data"]["sid"]]
    assert [one.equal for one in found] == [True]
    assert ("the clock of this machine is" in caplog.text) == (ahead != 0)
    assert "+16055551212" not in caplog.text


async def test_an_older_message_is_not_taken_for_this_one() -> None:
    now = dt.datetime.now(dt.UTC)
    emulator = Emulator(start=now - dt.timedelta(hours=1))
    async with Host.discover(transport=emulator.transport) as host:
        await host.invoke_action("twilio", "sendSMS", SMS)
        await emulator.clock.advance(120)
        since = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)  # as if the claim came two minutes later
        assert await host.look_for("twilio", "sendSMS", SMS, since, context=Context()) == []


def test_a_difference_is_known_to_about_a_second() -> None:
    difference = ClockDifference()
    sent_at = time.time()
    difference.measure(formatdate(sent_at + 100, usegmt=True), sent_at)
    assert difference.least <= 100 <= difference.most
    assert difference.most - difference.least < 2
    assert "100 s behind" in difference.warning or "99 s behind" in difference.warning
    assert not difference.is_due
    difference.expire()
    assert difference.is_due


@pytest.mark.parametrize(
    "date",
    [None, "", "yesterday", "Wed, 99 Nov 2026 00:00:00 GMT", "Thu, 26 Nov 2026 11:00:00 +99999999999999999"],
)
def test_a_date_that_cannot_be_read_changes_nothing(date: str | None) -> None:
    difference = ClockDifference()
    difference.measure(date, time.time())
    assert (difference.least, difference.most, difference.warning) == (0.0, 0.0, "")
