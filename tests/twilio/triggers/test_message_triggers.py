"""inboundMessage and statusCallback: verified like every webhook, and told in terms of messages."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from xml.etree import ElementTree as ET  # what it parses is our own

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_component.host import Context
from twilio_component.host.manifest.files import shipped_file
from twilio_component.testing import BlockingHarness, Harness, signed_payload
from twilio_component.twilio.signatures.verification import WebhookRefusedError
from twilio_component.twilio.twiml import messaging_response

SID = "SM" + "0" * 32
INBOUND = {
    "MessageSid": SID,
    "SmsStatus": "received",
    "From": "+15558675310",
    "To": "+15017122661",
    "Body": "Yes",
    "NumMedia": "0",
}
STATUS = {"MessageSid": SID, "MessageStatus": "sent", "SmsStatus": "sent", "From": "+15017122661", "To": "+15558675310"}


def documented(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(shipped_file(f"fixtures/payloads/{name}.json").read_text())["payload"]
    return payload


class TestInbound:
    def message(self, harness: BlockingHarness, **parameters: str) -> dict[str, Any]:
        result = harness.webhook({**INBOUND, **parameters}, key="inboundMessage")
        message: dict[str, Any] = result["payload"]["message"]
        return message

    def test_a_message_is_reported_with_every_documented_key(self, twilio_harness_blocking: BlockingHarness) -> None:
        message = self.message(twilio_harness_blocking)
        assert [*message] == [*documented("inboundMessage")["message"]]
        assert (message["body"], message["channel"], message["media"], message["fromCity"]) == ("Yes", "sms", [], None)

    def test_the_documented_example_is_what_comes_out(self, twilio_harness_blocking: BlockingHarness) -> None:
        example = documented("inboundMessage")
        result = twilio_harness_blocking.webhook(example["body"]["data"], key="inboundMessage")
        assert result["payload"]["message"] == example["message"]
        assert result["payload"]["body"] == example["body"]

    def test_media_places_channel_and_opt_out_are_parsed(self, twilio_harness_blocking: BlockingHarness) -> None:
        message = self.message(
            twilio_harness_blocking,
            From="whatsapp:+15558675310",
            NumMedia="2",
            MediaUrl0="https://api.twilio.com/m0",
            MediaContentType0="image/png",
            MediaUrl1="https://api.twilio.com/m1",
            FromCountry="US",
            OptOutType="STOP",
            ProfileName="Ada",
            ButtonText="Confirm",
        )
        assert message["channel"] == "whatsapp"
        assert [(file["url"], file["contentType"]) for file in message["media"]] == [
            ("https://api.twilio.com/m0", "image/png"),
            ("https://api.twilio.com/m1", None),
        ]
        assert (message["fromCountry"], message["optOutType"]) == ("US", "STOP")
        assert (message["profileName"], message["buttonText"]) == ("Ada", "Confirm")

    def test_a_file_has_its_sid_its_message_and_its_name(self, twilio_harness_blocking: BlockingHarness) -> None:
        media, sid = "ME" + "1" * 32, "MM" + "2" * 32
        url = f"https://api.twilio.com/2010-04-01/Accounts/AC{'3' * 32}/Messages/{sid}/Media/{media}"
        (file,) = self.message(
            twilio_harness_blocking,
            NumMedia="1",
            MediaUrl0=url,
            MediaContentType0="application/pdf",
            MediaFileName0="menu.pdf",
        )["media"]
        assert file == {
            "sid": media,
            "messageSid": sid,
            "url": url,
            "contentType": "application/pdf",
            "fileName": "menu.pdf",
        }

    def test_what_a_channel_adds_has_its_type(self, twilio_harness_blocking: BlockingHarness) -> None:
        message = self.message(
            twilio_harness_blocking,
            From="whatsapp:US.13491208655302741918",
            ButtonPayload="order-7",
            ListId="small",
            ListTitle="A small one",
            Latitude="52.5163",
            Longitude="-13.3777",
            Label="Gate",
            OriginalRepliedMessageSid="SM9",
            OriginalRepliedMessageSender="whatsapp:+14155238886",
            ReferralCtwaClid="click",
            ReferralNumMedia="2",
            Forwarded="true",
            ChannelMetadata='{"type": "whatsapp", "data": {"context": {}}}',
            InteractiveData='{"answer": 3}',
            NumSegments="2",
            ExternalUserId="US.13491208655302741918",
        )
        assert (message["buttonPayload"], message["listId"], message["listTitle"]) == (
            "order-7",
            "small",
            "A small one",
        )
        assert message["location"] == {"latitude": 52.5163, "longitude": -13.3777, "address": None, "label": "Gate"}
        assert message["repliedTo"] == {"messageSid": "SM9", "sender": "whatsapp:+14155238886"}
        assert (message["referral"]["ctwaClid"], message["referral"]["numMedia"]) == ("click", 2)
        assert (message["forwarded"], message["frequentlyForwarded"], message["numSegments"]) == (True, False, 2)
        assert message["channelMetadata"]["type"] == "whatsapp"
        assert message["interactiveData"] == {"answer": 3}
        assert (message["channel"], message["externalUserId"]) == ("whatsapp", "US.13491208655302741918")

    @pytest.mark.parametrize(
        ("sender", "channel"),
        [
            ("+15558675310", "sms"),
            ("12345", "sms"),
            ("whatsapp:+5215512345678", "whatsapp"),
            ("messenger:1234567", "messenger"),
            ("instagram:1784140", "instagram"),
            ("rcs:brand_agent", "rcs"),
            ("newchannel:abc", "newchannel"),
        ],
    )
    def test_the_channel_is_that_of_the_address(
        self, twilio_harness_blocking: BlockingHarness, sender: str, channel: str
    ) -> None:
        assert self.message(twilio_harness_blocking, From=sender)["channel"] == channel

    @pytest.mark.parametrize("odd", ["x", "1e5", "99999999999999999", "²"])
    def test_a_number_that_is_not_one_reads_as_null(self, twilio_harness_blocking: BlockingHarness, odd: str) -> None:
        message = self.message(twilio_harness_blocking, Latitude=odd, NumSegments=odd, ChannelMetadata="{" + odd)
        assert (message["location"], message["numSegments"], message["channelMetadata"]) == (None, None, None)

    @pytest.mark.parametrize("count", ["", "x", "-1", "999999999999", "²"])
    def test_a_count_that_is_not_valid_means_no_media(
        self, twilio_harness_blocking: BlockingHarness, count: str
    ) -> None:
        assert self.message(twilio_harness_blocking, NumMedia=count)["media"] == []

    def test_a_get_is_reported_too(self, twilio_harness_blocking: BlockingHarness) -> None:
        result = twilio_harness_blocking.webhook(INBOUND, key="inboundMessage", method="GET")
        assert result["payload"]["message"]["body"] == "Yes"

    @pytest.mark.parametrize(
        ("inputs", "body"),
        [
            ({}, None),
            ({"replyMessage": "Thank you <3 & see you"}, "Thank you <3 & see you"),
            ({"replyMessage": "Map", "replyMediaUrl": ["https://a.example/m.png?a=1&b=2"]}, "Map"),
        ],
    )
    def test_the_answer_is_twiml(
        self, twilio_harness_blocking: BlockingHarness, inputs: dict[str, Any], body: str | None
    ) -> None:
        response = twilio_harness_blocking.webhook(INBOUND, key="inboundMessage", params=inputs)["response"]
        assert (response["statusCode"], response["contentType"]) == (200, "text/xml")
        root = ET.fromstring(response["body"])
        assert root.tag == "Response"
        assert root.findtext("Message/Body") == body
        assert [node.text for node in root.findall("Message/Media")] == inputs.get("replyMediaUrl", [])

    def test_a_stranger_is_refused(self, twilio_harness_blocking: BlockingHarness) -> None:
        with pytest.raises(WebhookRefusedError):
            twilio_harness_blocking.webhook(INBOUND, key="inboundMessage", auth_token="another")

    @pytest.mark.parametrize("parameters", [STATUS, {"CallSid": "CA1", "From": "+15558675310"}])
    def test_another_kind_of_request_is_refused_with_where_its_url_belongs(
        self, twilio_harness_blocking: BlockingHarness, parameters: dict[str, str]
    ) -> None:
        with pytest.raises(WebhookRefusedError, match="not an incoming message"):
            twilio_harness_blocking.webhook(parameters, key="inboundMessage")


class TestStatus:
    def test_the_documented_example_is_what_comes_out(self, twilio_harness_blocking: BlockingHarness) -> None:
        example = documented("statusCallback")
        result = twilio_harness_blocking.webhook(example["body"]["data"], key="statusCallback")
        assert result["payload"]["status"] == example["status"]
        assert ET.fromstring(result["response"]["body"]).tag == "Response"

    @pytest.mark.parametrize(
        ("status", "final"),
        [
            ("queued", False),
            ("sent", False),
            ("delivered", True),
            ("read", True),
            ("failed", True),
            ("brand-new", False),
        ],
    )
    def test_it_says_whether_anything_follows(
        self, twilio_harness_blocking: BlockingHarness, status: str, *, final: bool
    ) -> None:
        result = twilio_harness_blocking.webhook({**STATUS, "MessageStatus": status}, key="statusCallback")
        assert result["payload"]["status"]["final"] is final

    def test_a_code_without_an_explanation_stays_a_number(self, twilio_harness_blocking: BlockingHarness) -> None:
        for code, shown in (("39999", 39999), ("odd", "odd"), ("9" * 5000, "9" * 5000)):
            told = twilio_harness_blocking.webhook({**STATUS, "ErrorCode": code}, key="statusCallback")["payload"][
                "status"
            ]
            assert (told["errorCode"], told["errorMeaning"]) == (shown, None)

    def test_why_a_channel_did_not_deliver_is_reported(self, twilio_harness_blocking: BlockingHarness) -> None:
        parameters = {
            **STATUS,
            "MessageStatus": "undelivered",
            "To": "whatsapp:+447911123456",
            "ErrorCode": "63016",
            "ErrorMessage": "Outside the window",
            "ChannelStatusMessage": "131047",
            "ChannelInstallSid": "XE1",
            "RawDlrDoneDate": "2611251942",
        }
        status = twilio_harness_blocking.webhook(parameters, key="statusCallback")["payload"]["status"]
        assert (status["errorCode"], status["errorMessage"]) == (63016, "Outside the window")
        assert (status["channelStatusMessage"], status["channelInstallSid"]) == ("131047", "XE1")
        assert (status["channel"], status["rawDlrDoneDate"]) == ("whatsapp", "2611251942")

    async def run(self, statuses: list[tuple[str, str]]) -> tuple[list[bool], dict[str, Any]]:
        """Which of the callbacks, in the order of their arrival, are stale; and the state that is kept."""
        state: dict[str, Any] = {}
        stale = []
        async with Harness() as harness:
            for sid, status in statuses:
                payload = signed_payload({**STATUS, "MessageSid": sid, "MessageStatus": status})
                inputs = {"authToken": "emulated-auth-token"}
                context = Context(instance_state=state)
                result = await harness.host.invoke_trigger("twilio", "statusCallback", payload, inputs, context=context)
                state = {**state, **json.loads(json.dumps(result["instanceState"]))}
                stale.append(result["payload"]["status"]["stale"])
        return stale, state

    async def test_a_late_status_is_marked_stale_for_its_message_alone(self) -> None:
        arrivals = [("SM1", "queued"), ("SM1", "delivered"), ("SM1", "sent"), ("SM2", "sent"), ("SM1", "read")]
        assert (await self.run(arrivals))[0] == [False, False, True, False, False]

    async def test_a_status_that_is_not_known_is_not_called_stale_and_hides_nothing(self) -> None:
        arrivals = [
            ("SM1", "delivered"),
            ("SM1", "brand-new"),
            ("SM1", "sent"),
            ("SM2", "brand-new"),
            ("SM2", "queued"),
        ]
        assert (await self.run(arrivals))[0] == [False, False, True, False, False]

    async def test_what_is_remembered_is_bounded(self) -> None:
        _, state = await self.run([(f"SM{number}", "delivered") for number in range(1_005)])
        assert len(state["statusCallback"]) == 1_000
        assert "SM0" not in state["statusCallback"]

    @pytest.mark.parametrize("parameters", [INBOUND, {"CallSid": "CA1", "CallStatus": "completed"}])
    def test_another_kind_of_request_is_refused_with_where_its_url_belongs(
        self, twilio_harness_blocking: BlockingHarness, parameters: dict[str, str]
    ) -> None:
        with pytest.raises(WebhookRefusedError, match="not a status callback"):
            twilio_harness_blocking.webhook(parameters, key="statusCallback")


def test_the_emulators_callbacks_are_taken(twilio_harness_blocking: BlockingHarness) -> None:
    """A message's whole life, as the emulator tells it, comes through the trigger."""
    harness = twilio_harness_blocking
    inputs = {"to": "+15558675310", "from": "+15017122661", "message": "x", "statusCallback": "http://127.0.0.1:1/s"}
    harness.action("sendSMS", inputs)
    asyncio.run(harness.emulator.clock.advance(60))
    told = []
    for webhook in harness.emulator.request_log.webhooks:
        payload = signed_payload(dict(webhook.parameters), url=webhook.url)
        told.append(harness.trigger("statusCallback", payload)["payload"]["status"]["status"])
    assert "delivered" in told


def test_line_breaks_arrive_as_they_are() -> None:
    assert ET.fromstring(messaging_response("a\rb\r\nc\nd")).findtext("Message/Body") == "a\rb\r\nc\nd"


@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_any_text_makes_well_formed_twiml_and_is_never_markup(text: str, media: list[str]) -> None:
    root = ET.fromstring(messaging_response(text, media).encode("utf-8", "surrogatepass"))
    assert {node.tag for node in root.iter()} <= {"Response", "Message", "Body", "Media"}
    assert len(root.findall("Message/Media")) == len(media)
