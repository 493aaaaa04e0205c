"""WhatsApp and RCS by content template: the whole way, from a flow's inputs to what becomes of the message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.host.errors import InputError
from twilio_component.twilio.error_codes import explain
from twilio_component.twilio.errors import TwilioAPIError

if TYPE_CHECKING:
    from twilio_component.emulator.model.message import Message
    from twilio_component.testing import BlockingHarness

WHATSAPP = {"to": "whatsapp:+15558675310", "from": "whatsapp:+15017122661"}


@pytest.fixture
def template(twilio_harness_blocking: BlockingHarness) -> str:
    """The SID of a template with two variables."""
    return twilio_harness_blocking.emulator.add_template("appointment", "Hi {{1}}, see you on {{2}}.").sid


def sent(harness: BlockingHarness, **inputs: Any) -> Message:
    sid = harness.action("sendSMS", inputs)["data"]["sid"]
    return next(one for one in harness.emulator.messages if one.sid == sid)


@pytest.mark.parametrize(
    "variables",
    [
        {"1": "Ada", "2": "7"},
        '{"1": "Ada", "2": "7"}',
        {"1": "Ada", "2": 7},
        '{"1": "Ada", "2": 7}',
    ],
)
def test_a_template_is_filled_in_however_its_variables_are_written(
    twilio_harness_blocking: BlockingHarness, template: str, variables: Any
) -> None:
    message = sent(twilio_harness_blocking, **WHATSAPP, contentSid=template, contentVariables=variables)
    assert message.body == "Hi Ada, see you on 7."


def test_booleans_become_words(twilio_harness_blocking: BlockingHarness, template: str) -> None:
    variables = {"1": True, "2": 1.5}
    assert sent(twilio_harness_blocking, **WHATSAPP, contentSid=template, contentVariables=variables).body == (
        "Hi true, see you on 1.5."
    )


def test_with_a_template_goes_no_text_not_even_an_empty_one(
    twilio_harness_blocking: BlockingHarness, template: str
) -> None:
    filled = {"contentSid": template, "contentVariables": {"1": "Ada", "2": "Friday"}}
    sent(twilio_harness_blocking, **WHATSAPP, **filled, message="")
    form = twilio_harness_blocking.emulator.request_log.requests[-1].request.form
    assert "Body" not in form
    with pytest.raises(InputError, match="cannot have both message and contentSid"):
        sent(twilio_harness_blocking, **WHATSAPP, **filled, message="Hi")


def test_a_channel_stands_on_both_sides(twilio_harness_blocking: BlockingHarness, template: str) -> None:
    message = sent(twilio_harness_blocking, to="WhatsApp: (605) 555-1212", **{"from": WHATSAPP["from"]}, message="Hi")
    assert (message.to, message.sender) == ("whatsapp:+16055551212", "whatsapp:+15017122661")
    with pytest.raises(TwilioAPIError, match="channel") as caught:
        sent(twilio_harness_blocking, **{**WHATSAPP, "from": "+15017122661"}, contentSid=template)
    assert caught.value.twilio_code == 21910
    assert not caught.value.retryable


@pytest.mark.parametrize("channel", ["whatsapp:", "rcs:", ""])
def test_a_messaging_service_chooses_the_channels_sender(
    twilio_harness_blocking: BlockingHarness, template: str, channel: str
) -> None:
    number = twilio_harness_blocking.emulator.add_number("+15017122661")
    service = twilio_harness_blocking.emulator.add_service("Reminders", [number])
    to = f"{channel}+15558675310"
    message = sent(
        twilio_harness_blocking,
        to=to,
        messagingServiceSid=service.sid,
        contentSid=template,
        contentVariables={"1": "Ada", "2": "Friday"},
    )
    twilio_harness_blocking.action("waitForDelivery", {"sid": message.sid})
    assert (message.to, message.sender) == (to, f"{channel}+15017122661")
    assert (message.body, message.status) == ("Hi Ada, see you on Friday.", "delivered")


@pytest.mark.parametrize(
    ("code", "words", "remedy"),
    [
        (63016, "Outside the allowed window", "contentSid"),
        (63024, "Invalid message recipient", "another channel"),
        (63003, "Channel could not find To address", "may not use this channel"),
    ],
)
def test_what_a_channel_does_not_deliver_is_explained(
    twilio_harness_blocking: BlockingHarness, code: int, words: str, remedy: str
) -> None:
    twilio_harness_blocking.emulator.lifecycle.undeliver(code)
    message = sent(twilio_harness_blocking, **WHATSAPP, message="Hi")
    found = twilio_harness_blocking.action("waitForDelivery", {"sid": message.sid})["data"]
    assert (found["status"], found["errorCode"]) == ("undelivered", code)
    assert words in found["errorMessage"]
    explanation = explain(code)
    assert explanation is not None
    assert remedy in explanation.remedy


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"contentSid": "HX" + "0" * 32}, 21655),
        ({"contentVariables": {"1": ""}}, 21656),
    ],
)
def test_a_template_that_twilio_refuses_is_refused_for_good(
    twilio_harness_blocking: BlockingHarness, template: str, inputs: dict[str, Any], code: int
) -> None:
    with pytest.raises(TwilioAPIError) as caught:
        sent(twilio_harness_blocking, **WHATSAPP, **{"contentSid": template, **inputs})
    assert (caught.value.twilio_code, caught.value.retryable) == (code, False)
    assert caught.value.explanation is not None
