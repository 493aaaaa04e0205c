"""Every sender can be replied to: an address goes from a received message into a reply, a list and a poll."""

from __future__ import annotations

from typing import Any

import pytest
from support.pollers import Poller

from twilio_component.host.errors import InputError
from twilio_component.testing import signed_payload
from twilio_component.twilio.errors import TwilioAPIError

# An address that Twilio sends as From, ours that it writes to, and where Twilio says so.
ADDRESSES = [
    ("+15558675310", "+15017122661", "E.164, the usual case"),
    ("whatsapp:+447911123456", "whatsapp:+14155238886", "WhatsApp"),
    ("whatsapp:+5215512345678", "whatsapp:+14155238886", "Mexico's older plan, as WhatsApp has it"),
    ("whatsapp:+22507123456", "whatsapp:+14155238886", "Ivory Coast's older plan"),
    ("whatsapp:US.13491208655302741918", "whatsapp:+14155238886", "change log, July 2026: usernames"),
    ("whatsapp:BR.ENT.11815799212886844830", "whatsapp:+14155238886", "change log, July 2026: an enterprise parent"),
    ("messenger:1234567890123456", "messenger:100000000000001", "Facebook Messenger"),
    ("instagram:17841400008460056", "instagram:17841400008460000", "Instagram"),
    ("rcs:+15558675310", "rcs:brand_7dk3_agent", "RCS"),
]


def received(poller: Poller, sender: str, to: str) -> dict[str, Any]:
    """What ``inboundMessage`` tells of a message that the emulator received."""
    emulator, harness, run = poller.emulator, poller.harness, poller.runner.run
    run(emulator.receive(to=to, sender=sender, body="Hello"))
    message = emulator.messages[-1]
    parameters = {"MessageSid": message.sid, "From": sender, "To": to, "Body": "Hello", "NumMedia": "0"}
    payload = signed_payload(parameters)
    told: dict[str, Any] = run(harness.trigger("inboundMessage", payload))["payload"]["message"]
    return told


@pytest.mark.parametrize(("sender", "own", "source"), ADDRESSES)
def test_a_message_is_received_answered_listed_and_polled(sender: str, own: str, source: str) -> None:
    assert source
    poller = Poller(to=sender)
    try:
        if own.startswith("+"):
            poller.emulator.add_number(own)
        poller.send(**{"to": sender, "from": own})
        poller.poll()
        told = received(poller, sender, own)
        assert (told["from"], told["channel"]) == (sender, sender.partition(":")[0] if ":" in sender else "sms")
        reply = {"to": told["from"], "from": told["to"], "message": "Hello yourself"}
        sent = poller.runner.run(poller.harness.action("sendSMS", reply))["data"]
        assert (sent["to"], sent["from"]) == (sender, own)
        for filters in ({"to": sender}, {"from": sender}, {"to": sender, "from": own}):
            listed = poller.runner.run(poller.harness.action("listMessages", filters))["data"]
            assert listed, filters
        created, _ = poller.poll()
        assert [one["sid"] for one in created] == [sent["sid"]]
    finally:
        poller.close()


def test_a_short_code_is_taken_and_a_name_receives_nothing() -> None:
    poller = Poller()
    try:
        run, harness = poller.runner.run, poller.harness
        for sender in ("12345", "MyBrand"):
            assert run(harness.action("listMessages", {"from": sender}))["data"] == []
            told = run(harness.trigger("inboundMessage", signed_payload({"MessageSid": "SM1", "From": sender})))
            assert (told["payload"]["message"]["from"], told["payload"]["message"]["channel"]) == (sender, "sms")
        # A sender ID has no way back: Twilio refuses it, and so it is refused here.
        with pytest.raises(InputError, match=r"\$\.inputs\.to: The recipient must be a valid phone number"):
            run(harness.action("sendSMS", {"to": "MyBrand", "from": "+15017122661", "message": "x"}))
    finally:
        poller.close()


def test_an_opt_out_counts_for_the_address_that_wrote_it() -> None:
    poller = Poller()
    try:
        poller.emulator.add_number("+15017122661")
        poller.runner.run(poller.emulator.receive(to="+15017122661", sender="+15558675310", body="STOP"))
        message = {"to": "+15558675310", "from": "+15017122661", "message": "x"}
        with pytest.raises(TwilioAPIError, match="21610"):
            poller.runner.run(poller.harness.action("sendSMS", message))
    finally:
        poller.close()
