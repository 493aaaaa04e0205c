"""waitForDelivery, on the emulator's clock: waiting takes no time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.errors import NotFoundError, StillUnderWayError

if TYPE_CHECKING:
    from twilio_component.testing import BlockingHarness

SMS = {"to": "+15558675310", "from": "+15017122661", "message": "x"}


def sent(harness: BlockingHarness) -> str:
    sid: str = harness.action("sendSMS", SMS)["data"]["sid"]
    return sid


def wait(harness: BlockingHarness, sid: str, **inputs: Any) -> dict[str, Any]:
    data: dict[str, Any] = harness.action("waitForDelivery", {"sid": sid, **inputs})["data"]
    return data


def test_it_ends_when_the_message_is_delivered(twilio_harness_blocking: BlockingHarness) -> None:
    sid = sent(twilio_harness_blocking)
    found = wait(twilio_harness_blocking, sid)
    assert (found["sid"], found["status"]) == (sid, "delivered")


def test_it_ends_when_the_message_fails_and_says_why(twilio_harness_blocking: BlockingHarness) -> None:
    twilio_harness_blocking.emulator.life.undeliver(30003, to="+15558675310")
    found = wait(twilio_harness_blocking, sent(twilio_harness_blocking))
    assert (found["status"], found["errorCode"]) == ("undelivered", 30003)


def test_where_nobody_confirms_sent_may_be_enough(twilio_harness_blocking: BlockingHarness) -> None:
    twilio_harness_blocking.emulator.life.never_confirm()
    sid = sent(twilio_harness_blocking)

    with pytest.raises(StillUnderWayError, match="after 30 s the message is still sent") as caught:
        wait(twilio_harness_blocking, sid, timeoutSeconds="30")
    assert caught.value.retryable
    assert wait(twilio_harness_blocking, sid, acceptSent=True)["status"] == "sent"


def test_it_waits_as_long_as_it_is_told_and_asks_less_and_less_often(twilio_harness_blocking: BlockingHarness) -> None:
    twilio_harness_blocking.emulator.life.never_confirm()
    sid = sent(twilio_harness_blocking)
    before, asked = twilio_harness_blocking.emulator.clock.now(), len(twilio_harness_blocking.emulator.journal.requests)

    with pytest.raises(StillUnderWayError):
        wait(twilio_harness_blocking, sid, timeoutSeconds=600)

    assert 600 <= twilio_harness_blocking.emulator.clock.now() - before < 601
    assert len(twilio_harness_blocking.emulator.journal.requests) - asked < 50


def test_a_message_that_does_not_exist_is_not_waited_for(twilio_harness_blocking: BlockingHarness) -> None:
    with pytest.raises(NotFoundError):
        wait(twilio_harness_blocking, "SM" + "0" * 32)
