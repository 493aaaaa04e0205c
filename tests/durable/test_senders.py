"""Senders with a rate, however they are written."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.engine import SEND, serving

from twilio_component.durable.sending.sender_rates import rates_of_senders
from twilio_component.durable.settings import Settings
from twilio_component.host import Host
from twilio_component.host.errors import InputError

SERVICE = "MG" + "a" * 32


def test_rates_are_known_by_what_requests_say() -> None:
    components = Host.discover().components
    given = {
        " (501) 712-2661": 1.0,
        "15017122662": 2.0,
        "WhatsApp: +1 501 712 2663": 3.0,
        "MyBrand ": 4.0,
        SERVICE: 5.0,
    }
    assert rates_of_senders({**given, SERVICE: 5.0}, components) == {
        "+15017122661": 1.0,
        "+15017122662": 2.0,
        "whatsapp:+15017122663": 3.0,
        "MyBrand": 4.0,
        SERVICE: 5.0,
    }


def test_what_can_be_no_sender_is_refused_with_what_can() -> None:
    with pytest.raises(InputError) as caught:
        rates_of_senders(
            {"My Brand!": 1.0, "+15017122661": 1.0, "501-712-2661": 2.0, "": 1.0}, Host.discover().components
        )
    first, second, third = str(caught.value).splitlines()[1:]
    assert first.startswith('  rateLimits["My Brand!"]: is not a sender: must be a messaging service SID')
    assert "; or: The sender must be a phone number, a short code, an alphanumeric sender ID or a channel" in first
    assert second == '  rateLimits["…2661"]: is not unique: another key names this sender too'
    assert third.startswith('  rateLimits[""]: is not a sender: must be text')


def test_without_a_component_that_says_who_sends_rates_stay_as_they_are() -> None:
    assert rates_of_senders({"My Brand!": 1.0}, {}) == {"My Brand!": 1.0}


async def test_a_flow_and_a_configuration_may_write_a_sender_differently(tmp_path: Path) -> None:
    other = SEND.replace("Main", "Other").replace('"+15017122661"', '" (501) 712-2661 "')
    settings = Settings(timeout=0.5, lag_bound=0.2, rates={"501.712.2661": 2})
    async with serving(tmp_path, SEND + other, settings=settings) as served:
        ended = await asyncio.gather(served.run("one"), served.run("two", "Other"))
        assert {one["state"] for one in ended} == {"succeeded"}
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        tokens = connection.execute("SELECT key, count(*) FROM flow_rate_tokens GROUP BY key").fetchall()
    ((key, count),) = tokens
    assert (key.partition(":")[2], count) == ("+15017122661", 2)


async def test_a_sender_that_is_not_valid_is_refused_by_the_component_and_paces_nothing(tmp_path: Path) -> None:
    flows = SEND.replace('"+15017122661"', '"!"')
    async with serving(tmp_path, flows, settings=Settings(rates={"MyBrand": 1})) as served:
        assert (await served.run("one"))["error"]["code"] == "input-invalid"
