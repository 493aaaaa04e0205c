"""What comes in over WhatsApp and other channels beside a text, and events of other products."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from twilio_component.emulator import Emulator, Response, WebhookRequest

OURS, THEIRS = "whatsapp:+14155238886", "whatsapp:+15558675310"


@pytest.fixture
def webhooks() -> list[WebhookRequest]:
    return []


@pytest.fixture
def emulator(webhooks: list[WebhookRequest]) -> Emulator:
    def application(request: WebhookRequest) -> Response:
        webhooks.append(request)
        return Response(204)

    emulator = Emulator(webhooks=application)
    emulator.add_number("+14155238886", sms_url="http://app.test/in")
    return emulator


def inbound(api: Any, webhooks: list[WebhookRequest], **body: Any) -> dict[str, str]:
    shown = api.request("POST", "/_emulator/inbound", json={"to": OURS, "from": THEIRS, **body})
    assert shown.status_code == 200, shown.text
    assert RequestValidator("emulated-auth-token").validate(
        webhooks[-1].url, dict(webhooks[-1].form), webhooks[-1].headers["X-Twilio-Signature"]
    )
    return dict(webhooks[-1].form)


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        ({"body": "Hi", "profileName": "Ada"}, {"ProfileName": "Ada", "MessageType": "text", "Body": "Hi"}),
        (
            {"button": {"text": "Yes", "payload": "yes-1"}},
            {"ButtonText": "Yes", "ButtonPayload": "yes-1", "Body": "Yes", "MessageType": "button"},
        ),
        (
            {"listItem": {"id": "7", "title": "Tuesday"}},
            {"ListId": "7", "ListTitle": "Tuesday", "Body": "Tuesday", "MessageType": "interactive"},
        ),
        (
            {"location": {"latitude": 52.5, "longitude": 13.4, "label": "Office", "address": "Main St 1"}},
            {
                "Latitude": "52.5",
                "Longitude": "13.4",
                "Label": "Office",
                "Address": "Main St 1",
                "MessageType": "location",
            },
        ),
        (
            {"referral": {"sourceType": "ad", "sourceId": "1", "ctwaClid": "x", "sourceUrl": "https://fb.me/1"}},
            {
                "ReferralSourceType": "ad",
                "ReferralSourceId": "1",
                "ReferralCtwaClid": "x",
                "ReferralSourceUrl": "https://fb.me/1",
            },
        ),
        (
            {"forwarded": True, "frequentlyForwarded": True},
            {"Forwarded": "true", "FrequentlyForwarded": "true"},
        ),
        ({"media": [{"contentType": "image/png", "content": "iVBORw=="}]}, {"MessageType": "image", "NumMedia": "1"}),
    ],
)
def test_details_become_the_parameters_that_twilio_has_for_them(
    api: Any, webhooks: list[WebhookRequest], body: dict[str, Any], parameters: dict[str, str]
) -> None:
    form = inbound(api, webhooks, **body)
    assert parameters.items() <= form.items()
    assert json.loads(form["ChannelMetadata"])["data"]["context"]["WaId"] == form["WaId"] == "15558675310"


def test_a_reply_quotes_a_message(api: Any, webhooks: list[WebhookRequest]) -> None:
    sent = api.send(To=THEIRS, From=OURS)
    form = inbound(api, webhooks, body="That one", repliedTo=sent["sid"])
    assert (form["OriginalRepliedMessageSid"], form["OriginalRepliedMessageSender"]) == (sent["sid"], OURS)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"from": "+15558675310", "to": "+14155238886", "button": {"text": "Yes"}}, "an SMS has no button"),
        ({"location": {"planet": "Mars"}}, "location has no planet; it has latitude"),
    ],
)
def test_details_that_cannot_be_are_refused_before_anything_is_received(
    api: Any, emulator: Emulator, body: dict[str, Any], error: str
) -> None:
    refused = api.request("POST", "/_emulator/inbound", json={"to": OURS, "from": THEIRS, **body})
    assert (refused.status_code, error in refused.json()["error"]) == (400, True)
    assert emulator.messages == []


def test_a_message_that_reaches_no_application_says_so(
    api: Any, webhooks: list[WebhookRequest], caplog: pytest.LogCaptureFixture
) -> None:
    sms = {"from": "+15558675310", "body": "Hi"}
    lost = api.request("POST", "/_emulator/inbound", json={**sms, "to": "+15017122661"}).json()
    assert (lost["status"], webhooks) == ("received", [])
    assert "no webhook is configured for the number" in lost["warning"]
    (line,) = [record.getMessage() for record in caplog.records if "no webhook is configured" in record.getMessage()]
    assert "5017122661" not in line
    told = api.request("POST", "/_emulator/inbound", json={**sms, "to": "+14155238886"}).json()
    assert ("warning" in told, len(webhooks)) == (False, 1)


def test_an_sms_has_no_parameters_of_channels(api: Any, webhooks: list[WebhookRequest]) -> None:
    form = inbound(api, webhooks, **{"to": "+14155238886", "from": "+15558675310", "body": "Hi"})
    assert not form.keys() & {"MessageType", "ChannelMetadata", "ProfileName", "WaId"}


def test_the_callbacks_of_a_channel_tell_its_words(
    api: Any, emulator: Emulator, webhooks: list[WebhookRequest]
) -> None:
    emulator.lifecycle.undeliver(63016, times=1)
    emulator.lifecycle.read(nth=1)
    api.send(To=THEIRS, From=OURS, StatusCallback="http://app.test/status")
    api.advance(10)
    read = dict(webhooks[-1].form)
    assert (read["MessageStatus"], read["EventType"]) == ("read", "READ")
    assert (read["ChannelPrefix"], read["ChannelInstallSid"][:2]) == ("whatsapp", "XE")
    assert read["ChannelToAddress"] == "+1555867XXXX"
    api.send(To=THEIRS, From=OURS, StatusCallback="http://app.test/status")
    api.advance(10)
    failed = dict(webhooks[-1].form)
    assert failed["ErrorCode"] == "63016"
    assert failed["ChannelStatusMessage"] == failed["ErrorMessage"]


def test_events_of_conversations_are_sent_signed_and_may_share_a_message(
    api: Any, emulator: Emulator, webhooks: list[WebhookRequest]
) -> None:
    message = "IM" + "1" * 32
    for event in ("onMessageAdded", "onDeliveryUpdated"):
        wanted = {"url": "http://app.test/events", "eventType": event, "parameters": {"MessageSid": message}}
        record = api.request("POST", "/_emulator/webhooks", json=wanted).json()
        assert (record["kind"], record["messageSid"], record["answer"]["status"]) == ("event", message, 204)
    assert [dict(one.form)["EventType"] for one in webhooks] == ["onMessageAdded", "onDeliveryUpdated"]
    assert len({one.headers["I-Twilio-Idempotency-Token"] for one in webhooks}) == 2
    signature = webhooks[0].headers["X-Twilio-Signature"]
    assert RequestValidator("emulated-auth-token").validate(webhooks[0].url, dict(webhooks[0].form), signature)
    refused = api.request("POST", "/_emulator/webhooks", json={"url": "http://app.test/", "eventType": "onTuesday"})
    assert "Conversations has no event 'onTuesday'; it has onConversationAdded" in refused.json()["error"]
    emulator.assert_webhook(kind="event", EventType="onMessageAdded", times=1)


def test_any_webhook_can_be_sent_also_one_that_no_message_is_behind(api: Any, webhooks: list[WebhookRequest]) -> None:
    wanted = {"url": "http://app.test/studio", "method": "GET", "parameters": {"FlowSid": "FW1"}}
    record = api.request("POST", "/_emulator/webhooks", json=wanted).json()
    assert (record["messageSid"], webhooks[0].url) == ("", "http://app.test/studio?FlowSid=FW1")


async def test_events_are_sent_from_python_too(emulator: Emulator, webhooks: list[WebhookRequest]) -> None:
    await emulator.send_conversation_event("http://app.test/e", "onParticipantAdded", ConversationSid="CH1")
    await emulator.send_webhook("http://app.test/e", {"Event": "task.created"})
    assert dict(webhooks[0].form)["ConversationSid"] == "CH1"
    assert dict(webhooks[1].form) == {"Event": "task.created"}
    await emulator.receive(to=OURS, sender=THEIRS, button={"text": "No"}, profile_name="Ada")
    assert dict(webhooks[2].form)["ButtonText"] == "No"
