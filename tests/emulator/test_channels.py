"""The addresses of every channel that Twilio has, and the opt-outs that channels share."""

from __future__ import annotations

from typing import Any

import pytest

from twilio_component.emulator import Emulator, Response, WebhookRequest

FROM, TO = "+15017122661", "+15558675310"

SENDERS = {
    "whatsapp:US.13491208655302741918": "whatsapp:+14155238886",
    "whatsapp:BR.ENT.11815799212886844830": "whatsapp:+14155238886",
    "whatsapp:+5215512345678": "whatsapp:+14155238886",
    "whatsapp:+22507080910": "whatsapp:+14155238886",
    "instagram:17841400000000000": "instagram:17841411111111111",
    "messenger:5273546829": "messenger:110000000",
    "rcs:+15558675310": "rcs:my_agent",
    "+15558675310": "+15017122661",
}


@pytest.fixture
def webhooks() -> list[WebhookRequest]:
    return []


@pytest.fixture
def emulator(webhooks: list[WebhookRequest]) -> Emulator:
    def application(request: WebhookRequest) -> Response:
        webhooks.append(request)
        return Response(200, b"<Response><Message>Thanks</Message></Response>", {"Content-Type": "text/xml"})

    return Emulator(webhooks=application)


@pytest.mark.parametrize(("person", "sender"), SENDERS.items())
def test_a_person_on_any_channel_writes_is_answered_and_is_found_again(
    api: Any, emulator: Emulator, webhooks: list[WebhookRequest], person: str, sender: str
) -> None:
    number = sender.partition(":")[2] or sender
    if number.startswith("+"):
        emulator.add_number(number, sms_url="http://app.test/sms")
    else:
        emulator.add_service("S", [], inbound_request_url="http://app.test/sms").channel_senders.append(sender)
    api.receive("Hi", to=sender, sender=person)
    assert dict(webhooks[0].form)["From"] == person
    emulator.assert_sent(to=person, sender=sender, body="Thanks", direction="outbound-reply", times=1)
    sent = api.send(To=person, From=sender)
    assert (sent["to"], sent["from"]) == (person, sender)
    assert {one["body"] for one in api.request("GET", api.path, params={"To": person}).json()["messages"]} == {
        "Hello",
        "Thanks",
    }


@pytest.mark.parametrize(
    "address",
    [
        "whatsapp:us.1349",
        "whatsapp:USA.1349",
        "whatsapp:US.",
        "whatsapp:US.13-49",
        "US.1349",
        f"whatsapp:US.{'1' * 129}",
    ],
)
def test_only_a_well_formed_username_is_an_address(api: Any, address: str) -> None:
    assert api.send(To=address, From="whatsapp:+14155238886")["code"] == 21211


@pytest.mark.parametrize(("to", "code"), [("12345", 21265), ("987654", 21265), ("MyBrand", 21211), ("12", 21211)])
def test_a_short_code_and_a_name_receive_nothing(api: Any, to: str, code: int) -> None:
    assert api.send(To=to, From=FROM)["code"] == code


def test_a_fallback_needs_a_service_with_an_rcs_sender(api: Any, emulator: Emulator) -> None:
    service = emulator.add_service("S", [emulator.add_number(FROM)])
    wanted = {"To": TO, "From": "", "MessagingServiceSid": service.sid, "FallbackFrom": FROM}
    assert api.send(**wanted)["code"] == 21667
    service.channel_senders.append("rcs:my_agent")
    assert api.send(**wanted)["status"] == "accepted"
    assert api.send(**{**wanted, "From": FROM})["code"] == 21664
    assert api.send(**{**wanted, "FallbackFrom": "rcs:my_agent"})["code"] == 21665
    assert api.send(To=TO, From=FROM, FallbackFrom=FROM)["code"] == 21666


def test_a_username_comes_instead_of_a_number_in_the_webhook(
    api: Any, emulator: Emulator, webhooks: list[WebhookRequest]
) -> None:
    emulator.add_number("+14155238886", sms_url="http://app.test/sms")
    api.receive("Hi", to="whatsapp:+14155238886", sender="whatsapp:US.13491208655302741918")
    form = dict(webhooks[0].form)
    assert form["ExternalUserId"] == "US.13491208655302741918"
    assert "WaId" not in form


def test_sms_and_rcs_of_a_service_share_their_opt_outs_and_whatsapp_does_not(api: Any, emulator: Emulator) -> None:
    service = emulator.add_service("S", [emulator.add_number(FROM)])
    service.channel_senders.append("rcs:my_agent")
    api.receive("STOP", to=FROM, sender=TO)
    for address in (TO, f"rcs:{TO}"):
        message = api.send(To=address, From="", MessagingServiceSid=service.sid)
        api.advance(1)
        assert api.fetch(message)["error_code"] == 21610, address
    api.receive("START", to="rcs:my_agent", sender=f"rcs:{TO}")
    message = api.send(From="", MessagingServiceSid=service.sid)
    api.advance(5)
    assert api.fetch(message)["status"] == "delivered"
    api.receive("STOP", to="rcs:my_agent", sender=f"rcs:{TO}")
    other = api.send(To=f"whatsapp:{TO}", From=f"whatsapp:{FROM}")
    assert other["status"] == "queued"
