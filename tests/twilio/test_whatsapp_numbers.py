"""People whom WhatsApp has in an older form of their number are the same people in both forms."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import phonenumbers
import pytest

from twilio_component.durable.operator.mentions import Mentions
from twilio_component.host import Host
from twilio_component.host.contacts import OUT, ContactWords
from twilio_component.testing import emulator_connection
from twilio_component.twilio.opt_outs import contact_event, contact_of
from twilio_component.twilio.questions import plan, reply_of
from twilio_component.twilio.whatsapp_numbers import all_forms, current_form

OURS = "whatsapp:+14155238886"
# A number as its country writes it, the one that WhatsApp says the message is from, and who reported it.
FORMS = [
    ("+525512345678", "+5215512345678", "chatwoot/chatwoot#14048"),
    ("+5531996883193", "+553196883193", "wwebjs/whatsapp-web.js#596"),
    ("+5521964180266", "+552164180266", "wwebjs/whatsapp-web.js#1967"),
    ("+5491122334455", "+541122334455", "chatwoot/chatwoot#11053"),
    ("+2250707123456", "+22507123456", "Ivory Coast's plan of 2021: Orange"),
    ("+2250544456789", "+22544456789", "Ivory Coast's plan of 2021: MTN"),
    ("+2250140123456", "+22540123456", "Ivory Coast's plan of 2021: Moov"),
    ("+2290195123456", "+22995123456", "Benin's plan of 2024"),
]
# Numbers that look alike and are of one form only.
ALONE = ["+525512345", "+552133334444", "+5511912345678", "+541191122334455", "+2252712345678", "+15558675310", "US.13"]


@pytest.mark.parametrize(("today", "older", "source"), FORMS)
def test_both_forms_are_one_person(today: str, older: str, source: str) -> None:
    assert phonenumbers.is_valid_number(phonenumbers.parse(today)), source
    today, older = f"whatsapp:{today}", f"whatsapp:{older}"
    assert (current_form(today), current_form(older)) == (today, today)
    assert (all_forms(today), all_forms(older)) == ((today, older), (older, today))
    # Only WhatsApp has them: Twilio takes such a number for another one, or for none, in an SMS.
    sms = older.removeprefix("whatsapp:")
    assert all_forms(sms) == (sms,)
    told = {"MessageSid": "SM1", "AccountSid": "AC1", "From": older, "To": OURS, "Body": "Stop"}
    written = contact_event({"body": {"data": told}}, ContactWords())
    wanted = contact_of({"twilioConnection": {"fields": {"accountSid": "AC1"}}, "to": today, "from": OURS})
    assert written is not None
    assert written.choice == OUT
    assert written.contact == wanted
    asked = {"twilioConnection": {"fields": {"accountSid": "AC1"}}, "to": today, "from": OURS, "message": "Well?"}
    question = plan({**asked, "retries": 0, "deadline": "60", "ifBusy": "wait", "lateReplies": "flow"})
    reply = reply_of({"body": {"data": {**told, "Body": "Yes"}}})
    assert reply is not None
    assert question.conversation in reply.conversations
    assert Mentions(*all_forms(today)).found_in(f"from {older}")


@pytest.mark.parametrize("number", ALONE)
def test_another_number_stays_alone(number: str) -> None:
    address = f"whatsapp:{number}"
    assert (current_form(address), all_forms(address)) == (address, (address,))


async def test_an_answer_from_the_older_form_is_found_in_the_list() -> None:
    today, older, _ = FORMS[0]
    message = {"status": "delivered", "date_created": "Thu, 26 Nov 2026 18:00:00 +0000", "to": OURS}

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" or request.url.path.endswith("SM0.json"):
            return httpx.Response(200, json={**message, "sid": "SM0"})
        found: list[Any] = []
        if request.url.params["From"] == f"whatsapp:{older}":
            found = [{**message, "sid": "SM1", "direction": "inbound", "from": f"whatsapp:{older}", "body": "yes"}]
        return httpx.Response(200, json={"messages": found})

    async with Host.discover(transport=httpx.MockTransport(handle), sleep=lambda _: asyncio.sleep(0)) as host:
        asked = {"to": f"whatsapp:{today}", "from": OURS, "message": "Well?", "answerType": "yesNo", "deadline": "60"}
        inputs = {"twilioConnection": emulator_connection(), **asked}
        end = (await host.invoke_action("twilio", "sendAndWait", inputs))["data"]
    assert (end["outcome"], end["answer"], end["reply"]["from"]) == ("answered", True, f"whatsapp:{older}")
