"""waitForDelivery, on the emulator's clock: waiting takes no time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.twilio.errors import DeliveryPendingError, NotFoundError

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
    twilio_harness_blocking.emulator.lifecycle.undeliver(30003, to="+15558675310")
    found = wait(twilio_harness_blocking, sent(twilio_harness_blocking))
    assert (found["status"], found["errorCode"]) == ("undelivered", 30003)


def test_where_nobody_confirms_sent_may_be_enough(twilio_harness_blocking: BlockingHarness) -> None:
    twilio_harness_blocking.emulator.lifecycle.never_confirm()
    sid = sent(twilio_harness_blocking)

    with pytest.raises(DeliveryPendingError, match="after 30 s the message is still sent") as caught:
        wait(twilio_harness_blocking, sid, timeoutSeconds="30")
    assert caught.value.retryable
    assert wait(twilio_harness_blocking, sid, acceptSent=True)["status"] == "sent"


def test_it_waits_as_long_as_it_is_told_and_asks_less_and_less_often(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    twilio_harness_blocking.emulator.lifecycle.never_confirm()
    sid = sent(twilio_harness_blocking)
    before, asked = (
        twilio_harness_blocking.emulator.clock.now(),
        len(twilio_harness_blocking.emulator.request_log.requests),
    )

    with pytest.raises(DeliveryPendingError):
        wait(twilio_harness_blocking, sid, timeoutSeconds=600)

    assert 600 <= twilio_harness_blocking.emulator.clock.now() - before < 601
    assert len(twilio_harness_blocking.emulator.request_log.requests) - asked < 50


def test_the_time_of_requests_counts(twilio_harness_blocking: BlockingHarness) -> None:
    emulator = twilio_harness_blocking.emulator
    emulator.lifecycle.never_confirm()
    sid = sent(twilio_harness_blocking)
    emulator.faults.slow(times=None, seconds=9, operation="messages.fetch")
    before = emulator.clock.now()

    with pytest.raises(DeliveryPendingError):
        wait(twilio_harness_blocking, sid, timeoutSeconds=60)

    # The last question is asked when the time is over, and its answer takes its time.
    assert 60 <= emulator.clock.now() - before < 71


def test_what_takes_a_day_is_asked_for_a_few_hundred_times(twilio_harness_blocking: BlockingHarness) -> None:
    emulator = twilio_harness_blocking.emulator
    emulator.lifecycle.delay(80_000, times=1)
    found = wait(twilio_harness_blocking, sent(twilio_harness_blocking), timeoutSeconds=86_400)
    assert found["status"] == "delivered"
    assert len(emulator.request_log.requests) < 400


FLOW = """
name: Test
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: twilio.basic}
flows:
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Send
        action: twilio.sendSMS
        inputs: {twilioConnection: Twilio, to: "+15558675310", from: "+15017122661", message: x}
      - name: Wait
        action: twilio.waitForDelivery
        validFor: 1
        inputs: {twilioConnection: Twilio, sid: "{{$send.results.sid}}", timeoutSeconds: 30}
        errorConfig: {errorHandlerType: retry, maxAttempts: 2}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    file = tmp_path / "flow.yaml"
    file.write_text(FLOW)
    return file


def test_a_flow_waits_for_it_too(twilio_harness_blocking: BlockingHarness, flow: Path) -> None:
    twilio_harness_blocking.emulator.lifecycle.delay(10)
    outcome = twilio_harness_blocking.flow(flow)
    assert outcome.succeeded
    assert outcome.result["status"] == "delivered"


def test_a_step_of_a_flow_that_is_tried_again_has_all_its_time_again(
    twilio_harness_blocking: BlockingHarness, flow: Path
) -> None:
    twilio_harness_blocking.emulator.lifecycle.never_confirm()
    before = twilio_harness_blocking.emulator.clock.now()
    outcome = twilio_harness_blocking.flow(flow)
    assert outcome.error is not None
    assert [(error["code"], error["resolution"]) for error in outcome.handled] == [
        ("twilio-delivery-pending", "retried")
    ]
    # Begun in time (validFor), it is asked again however late that is; the second attempt would be begun too late.
    assert outcome.error["code"] == "deadline-exceeded"
    assert 30 <= twilio_harness_blocking.emulator.clock.now() - before < 32


def test_a_message_that_does_not_exist_is_not_waited_for(twilio_harness_blocking: BlockingHarness) -> None:
    with pytest.raises(NotFoundError):
        wait(twilio_harness_blocking, "SM" + "0" * 32)
