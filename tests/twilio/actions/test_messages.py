"""sendSMS, getSMS and listMessages, against the emulator in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from jsonschema import Draft202012Validator

from twilio_component.emulator import Emulator
from twilio_component.host import Host, Page, load_component
from twilio_component.host.errors import InputError
from twilio_component.host.manifest.files import shipped_file
from twilio_component.testing import BlockingHarness, create_connection, emulator_connection
from twilio_component.twilio.errors import NotFoundError, TwilioAPIError
from twilio_component.twilio.plugin import manifest_file

BASIC = {"to": "+15558675310", "from": "+15017122661", "message": "body"}
SERVICE = "MG" + "c" * 32
# What Twilio sends and the document shows as an empty string.
_OBJECTS = {"subresourceUris"}


def documented(name: str) -> dict[str, Any]:
    example: dict[str, Any] = json.loads(shipped_file(f"fixtures/payloads/{name}.json").read_text())
    return example


def assert_shaped_like(payload: Mapping[str, Any], example: Mapping[str, Any]) -> None:
    """The same keys in the same order, and the same types (null where Twilio's field may be null)."""
    assert [*payload] == [*example]
    for key, value in payload.items():
        kinds = {type(example[key]), type(None), *([dict] if key in _OBJECTS else [])}
        if key == "errorCode":
            kinds.add(int)
        if example[key] is None:
            kinds.add(str)
        assert type(value) in kinds, key


async def form_of(inputs: Mapping[str, Any], connection: Mapping[str, Any] | None = None) -> list[tuple[str, str]]:
    """The form that sendSMS posts for these inputs."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"sid": "SM" + "0" * 32})

    async with Host.discover(transport=httpx.MockTransport(handle)) as host:
        full = {"twilioConnection": connection or emulator_connection(), **inputs}
        await host.invoke_action("twilio", "sendSMS", full)
    return parse_qsl(seen[0].content.decode(), keep_blank_values=True)


def refusal(harness: BlockingHarness, action: str, **inputs: Any) -> str:
    with pytest.raises(InputError) as caught:
        harness.action(action, inputs)
    assert harness.emulator.messages == []
    return str(caught.value)


class TestPayloads:
    def test_what_is_sent_looks_like_the_documented_example(self, twilio_harness_blocking: BlockingHarness) -> None:
        result = twilio_harness_blocking.action("sendSMS", BASIC)

        assert [*result] == [*documented("sendSMS")] == ["data"]
        assert_shaped_like(result["data"], documented("sendSMS")["data"])

    def test_what_is_fetched_and_listed_looks_like_it_too(self, twilio_harness_blocking: BlockingHarness) -> None:
        sid = twilio_harness_blocking.action("sendSMS", BASIC)["data"]["sid"]

        fetched = twilio_harness_blocking.action("getSMS", {"sid": sid})
        listed = twilio_harness_blocking.action("listMessages")

        assert_shaped_like(fetched["data"], documented("getSMS")["data"])
        assert listed == {"data": [fetched["data"]]}

    def test_it_validates_against_the_message_schema(self, twilio_harness_blocking: BlockingHarness) -> None:
        data = twilio_harness_blocking.action("sendSMS", {**BASIC, "mediaUrl": ["https://example.com/a.png"]})["data"]
        schema = load_component(manifest_file()).actions["sendSMS"].output_schema

        assert list(Draft202012Validator(schema).iter_errors(data)) == []

    def test_dates_have_milliseconds_and_zone_and_numbers_are_text(self) -> None:
        emulator = Emulator(start=datetime(2010, 4, 1, tzinfo=UTC))
        with BlockingHarness(emulator=emulator) as harness:
            data = harness.action("sendSMS", BASIC)["data"]

        assert data["dateCreated"] == "2010-04-01T00:00:00.000Z"
        assert (data["numMedia"], data["numSegments"], data["errorCode"]) == ("0", "1", None)

    async def test_keys_that_twilio_adds_tomorrow_come_after_the_known_ones(self) -> None:
        def handle(_request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json={"sid": "SM1", "brand_new_key": {"inner_key": 1}})

        async with Host.discover(transport=httpx.MockTransport(handle)) as host:
            inputs = {"twilioConnection": emulator_connection(), "sid": "SM" + "0" * 32}
            data = (await host.invoke_action("twilio", "getSMS", inputs))["data"]
        assert [*data] == [*documented("getSMS")["data"], "brandNewKey"]
        assert data["brandNewKey"] == {"inner_key": 1}


class TestSending:
    def test_a_national_number_is_completed_for_the_region(self, twilio_harness_blocking: BlockingHarness) -> None:
        data = twilio_harness_blocking.action("sendSMS", {**BASIC, "to": "(605) 555-1212"})["data"]
        assert data["to"] == "+16055551212"

        british = {**BASIC, "to": "07911 123456", "defaultRegion": "GB"}
        assert twilio_harness_blocking.action("sendSMS", british)["data"]["to"] == "+447911123456"

    def test_a_message_may_be_sent_for_a_sub_account(self) -> None:
        sub, emulator = "AC" + "b" * 32, Emulator()
        fields = {"username": "AC" + "a" * 32, "password": "x", "accountSid": sub}
        with BlockingHarness(emulator=emulator) as harness:
            connection = create_connection("basic", fields)
            data = harness.action("sendSMS", {**BASIC, "twilioConnection": connection})["data"]
        assert data["accountSid"] == sub

    async def test_every_input_reaches_twilio_under_its_name(self) -> None:
        inputs = {
            "to": "+15558675310",
            "from": "12345",
            "messagingServiceSid": SERVICE,
            "contentSid": "HX" + "d" * 32,
            "contentVariables": '{"1": "Ada", "2": "ü"}',
            "statusCallback": "https://example.com/s?a=b#rc=3",
            "sendAt": "2026-12-24T18:00:00+01:00",
            "validityPeriod": "600",
            "shortenUrls": "true",
            "smartEncoded": "false",
            "sendAsMms": True,
            "provideFeedback": False,
            "attempt": 2,
            "forceDelivery": "TRUE",
            "riskCheck": "disable",
            "contentRetention": "discard",
            "addressRetention": "obfuscate",
            "persistentAction": ["geo:1,2", "x"],
            "messageIntent": "otp",
            "applicationSid": "AP" + "e" * 32,
            "trafficType": "free",
        }

        assert await form_of(inputs) == [
            ("To", "+15558675310"),
            ("From", "12345"),
            ("MessagingServiceSid", SERVICE),
            ("ContentSid", "HX" + "d" * 32),
            ("ContentVariables", '{"1": "Ada", "2": "ü"}'),
            ("StatusCallback", "https://example.com/s?a=b#rc=3"),
            ("ApplicationSid", "AP" + "e" * 32),
            ("ProvideFeedback", "false"),
            ("Attempt", "2"),
            ("ValidityPeriod", "600"),
            ("ForceDelivery", "true"),
            ("ContentRetention", "discard"),
            ("AddressRetention", "obfuscate"),
            ("SmartEncoded", "false"),
            ("PersistentAction", "geo:1,2"),
            ("PersistentAction", "x"),
            ("TrafficType", "free"),
            ("ShortenUrls", "true"),
            ("SendAt", "2026-12-24T17:00:00Z"),
            ("SendAsMms", "true"),
            ("RiskCheck", "disable"),
            ("MessageIntent", "otp"),
            ("ScheduleType", "fixed"),
        ]

    async def test_a_fallback_is_an_sms_sender_and_the_service_chooses_the_first(self) -> None:
        """As Twilio's errors 21664 and 21665 have it."""
        inputs = {"to": "+15558675310", "messagingServiceSid": SERVICE, "message": "Hi", "fallbackFrom": "12345"}
        assert ("FallbackFrom", "12345") in await form_of(inputs)
        for wrong, said in (
            ({"from": "rcs:agent"}, "cannot have both"),
            ({"fallbackFrom": "rcs:a"}, "a sender of SMS"),
        ):
            with pytest.raises(InputError, match=said):
                await form_of({**inputs, **wrong})

    @pytest.mark.parametrize(
        "given", [["https://a.example/1", "https://a.example/2"], '["https://a.example/1", "https://a.example/2"]']
    )
    async def test_media_are_repeated_parameters(self, given: Any) -> None:
        form = await form_of({**BASIC, "mediaUrl": given})
        assert [value for name, value in form if name == "MediaUrl"] == ["https://a.example/1", "https://a.example/2"]

    async def test_a_message_keeps_its_spaces_and_line_breaks(self) -> None:
        text = "  Hi\n\n· 👋 & = + %  "
        assert ("Body", text) in await form_of({**BASIC, "message": text})

    def test_twilios_refusal_is_an_error_and_sends_nothing(self, twilio_harness_blocking: BlockingHarness) -> None:
        with pytest.raises(TwilioAPIError) as caught:
            twilio_harness_blocking.action("sendSMS", {**BASIC, "to": "+15005550004"})

        assert caught.value.twilio_code == 21610
        assert twilio_harness_blocking.emulator.messages == []


class TestWhatIsRefusedBeforeAnythingIsSent:
    @pytest.mark.parametrize(
        ("inputs", "said"),
        [
            ({"from": ""}, "$.inputs: needs a sender; give from or messagingServiceSid"),
            ({"message": ""}, "$.inputs: needs something to send; give message, mediaUrl or contentSid"),
            ({"to": None}, "$.inputs.to: is required"),
            ({"to": "12"}, "$.inputs.to: The recipient must be a valid phone number: it has too few digits"),
            ({"sendAt": "2026-12-24T17:00:00Z"}, "$.inputs.sendAt: can only be used together with messagingServiceSid"),
            ({"contentVariables": {"1": "x"}}, "$.inputs.contentVariables: can only be used together with contentSid"),
            ({"shortenUrls": True}, "$.inputs.shortenUrls: can only be used together with messagingServiceSid"),
            ({"message": "x" * 1601}, "$.inputs.message: must have at most 1,600 characters, not 1,601"),
            ({"mediaUrl": ["https://a.example/x"] * 11}, "$.inputs.mediaUrl: must have at most 10 items, not 11"),
            ({"mediaUrl": ["ftp://a.example/x"]}, "$.inputs.mediaUrl[0]: must be an absolute URL"),
            ({"contentSid": "HX" + "d" * 32}, "$.inputs: cannot have both message and contentSid"),
            ({"validityPeriod": 0}, "$.inputs.validityPeriod: must be at least 1, not 0"),
            ({"sendAt": "2026-12-24T17:00:00"}, "$.inputs.sendAt: must include a time zone"),
        ],
    )
    def test_illegal_inputs_and_combinations(
        self, twilio_harness_blocking: BlockingHarness, inputs: dict[str, Any], said: str
    ) -> None:
        assert said in refusal(twilio_harness_blocking, "sendSMS", **{**BASIC, **inputs})

    def test_all_problems_come_at_once(self, twilio_harness_blocking: BlockingHarness) -> None:
        text = refusal(twilio_harness_blocking, "sendSMS", to="1", riskCheck="on", attempt="x", colour="red")
        for name in ("to", "riskCheck", "attempt", "colour"):
            assert f"$.inputs.{name}: " in text


class TestFetching:
    def test_a_message_that_does_not_exist_is_not_found(self, twilio_harness_blocking: BlockingHarness) -> None:
        with pytest.raises(NotFoundError, match="20404"):
            twilio_harness_blocking.action("getSMS", {"sid": "SM" + "0" * 32})

    def test_another_kind_of_sid_is_named(self, twilio_harness_blocking: BlockingHarness) -> None:
        text = refusal(twilio_harness_blocking, "getSMS", sid="AC" + "0" * 32)
        assert "starts with AC, so it is an Account SID; a message SID belongs here (SM or MM…)" in text


class TestDeleting:
    def test_a_deleted_message_is_gone(self, twilio_harness_blocking: BlockingHarness) -> None:
        sid = twilio_harness_blocking.action("sendSMS", BASIC)["data"]["sid"]
        asyncio.run(twilio_harness_blocking.emulator.clock.advance(60))

        assert twilio_harness_blocking.action("deleteMessage", {"sid": sid}) == {"data": {"sid": sid, "deleted": True}}
        with pytest.raises(NotFoundError):
            twilio_harness_blocking.action("getSMS", {"sid": sid})

    def test_a_message_on_its_way_stays(self, twilio_harness_blocking: BlockingHarness) -> None:
        sid = twilio_harness_blocking.action("sendSMS", BASIC)["data"]["sid"]
        with pytest.raises(TwilioAPIError, match="20009"):
            twilio_harness_blocking.action("deleteMessage", {"sid": sid})

    def test_a_lost_answer_is_asked_for_again(self, twilio_harness_blocking: BlockingHarness) -> None:
        sid = twilio_harness_blocking.action("sendSMS", BASIC)["data"]["sid"]
        asyncio.run(twilio_harness_blocking.emulator.clock.advance(60))
        twilio_harness_blocking.emulator.faults.server_error(status=503, operation="messages.delete")

        assert twilio_harness_blocking.action("deleteMessage", {"sid": sid})["data"]["deleted"]


class TestChanging:
    @staticmethod
    def later(harness: BlockingHarness, seconds: float = 60) -> None:
        asyncio.run(harness.emulator.clock.advance(seconds))

    def test_a_redacted_message_has_lost_its_text_and_nothing_else(
        self, twilio_harness_blocking: BlockingHarness
    ) -> None:
        sent = twilio_harness_blocking.action("sendSMS", BASIC)["data"]
        self.later(twilio_harness_blocking)

        redacted = twilio_harness_blocking.action("redactMessage", {"sid": sent["sid"]})["data"]
        again = twilio_harness_blocking.action("redactMessage", {"sid": sent["sid"]})["data"]

        assert (redacted["body"], redacted["to"], again["body"]) == ("", sent["to"], "")
        assert_shaped_like(redacted, documented("redactMessage")["data"])

    def test_a_message_on_its_way_keeps_its_text(self, twilio_harness_blocking: BlockingHarness) -> None:
        sid = twilio_harness_blocking.action("sendSMS", BASIC)["data"]["sid"]
        with pytest.raises(TwilioAPIError, match="20009"):
            twilio_harness_blocking.action("redactMessage", {"sid": sid})

    def test_a_scheduled_message_is_canceled_and_never_sent(self, twilio_harness_blocking: BlockingHarness) -> None:
        at = datetime.now(UTC) + timedelta(hours=1)
        scheduled = {**BASIC, "messagingServiceSid": SERVICE, "sendAt": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        sid = twilio_harness_blocking.action("sendSMS", scheduled)["data"]["sid"]

        canceled = twilio_harness_blocking.action("cancelMessage", {"sid": sid})["data"]
        self.later(twilio_harness_blocking, 7200)

        assert canceled["status"] == "canceled"
        assert_shaped_like(canceled, documented("cancelMessage")["data"])
        assert twilio_harness_blocking.action("getSMS", {"sid": sid})["data"]["status"] == "canceled"

    def test_a_sent_message_cannot_be_canceled(self, twilio_harness_blocking: BlockingHarness) -> None:
        sid = twilio_harness_blocking.action("sendSMS", BASIC)["data"]["sid"]
        with pytest.raises(TwilioAPIError):
            twilio_harness_blocking.action("cancelMessage", {"sid": sid})

    @pytest.mark.parametrize("outcome", ["confirmed", "unconfirmed"])
    def test_feedback_is_given(self, twilio_harness_blocking: BlockingHarness, outcome: str) -> None:
        sid = twilio_harness_blocking.action("sendSMS", {**BASIC, "provideFeedback": True})["data"]["sid"]
        data = twilio_harness_blocking.action("sendFeedback", {"sid": sid, "outcome": outcome})["data"]
        assert (data["messageSid"], data["outcome"]) == (sid, outcome)
        assert_shaped_like(data, documented("sendFeedback")["data"])

    def test_the_media_of_a_message_are_listed(self, twilio_harness_blocking: BlockingHarness) -> None:
        media = [f"https://a.example/{number}.png" for number in range(3)]
        sid = twilio_harness_blocking.action("sendSMS", {**BASIC, "mediaUrl": media})["data"]["sid"]
        listed = twilio_harness_blocking.action("listMedia", {"sid": sid})["data"]
        assert [item["contentType"] for item in listed] == ["image/png"] * 3
        assert_shaped_like(listed[0], documented("listMedia")["data"][0])

    def test_an_estimate_costs_nothing_and_names_what_makes_it_dear(
        self, twilio_harness_blocking: BlockingHarness
    ) -> None:
        plain = twilio_harness_blocking.action("estimateMessage", {"message": "x" * 161})["data"]
        curly = twilio_harness_blocking.action("estimateMessage", {"message": "It\u2019s at nine, Ada."})
        assert (plain["encoding"], plain["segments"], plain["unitsPerSegment"]) == ("GSM-7", 2, 153)
        assert curly == documented("estimateMessage")
        assert not twilio_harness_blocking.emulator.request_log.requests


class TestListing:
    @pytest.fixture
    def filled(self, twilio_harness_blocking: BlockingHarness) -> BlockingHarness:
        for number in range(25):
            to = "+15558675310" if number % 5 else "+15558675311"
            twilio_harness_blocking.action("sendSMS", {**BASIC, "to": to, "message": str(number)})
        return twilio_harness_blocking

    @staticmethod
    def bodies(harness: BlockingHarness, **inputs: Any) -> list[int]:
        return [int(item["body"]) for item in harness.action("listMessages", inputs)["data"]]

    def test_all_of_them_newest_first_over_several_pages(self, filled: BlockingHarness) -> None:
        assert self.bodies(filled, pageSize=10) == [*reversed(range(25))]

    @pytest.mark.parametrize("limit", [1, 10, 11, 25, 26])
    def test_a_limit_takes_the_newest(self, filled: BlockingHarness, limit: int) -> None:
        assert self.bodies(filled, limit=limit, pageSize=10) == [*reversed(range(25))][:limit]

    def test_it_can_be_read_page_by_page(self, filled: BlockingHarness) -> None:
        pages = [*filled.list_pages("listMessages", {"pageSize": 10})]
        assert [len(page.items) for page in pages] == [10, 10, 5]
        (rest,) = filled.list_pages("listMessages", after=pages[1].next)
        assert rest.items == pages[2].items

    def test_no_more_are_asked_for_than_are_wanted(self, filled: BlockingHarness) -> None:
        self.bodies(filled, limit=3, pageSize=10)
        (asked,) = filled.emulator.assert_requested(operation="messages.list")
        assert asked.request.query == "PageSize=3"

    def test_a_limit_over_a_thousand_takes_as_many_pages_as_it_needs(self) -> None:
        sizes = []

        def handle(request: httpx.Request) -> httpx.Response:
            number = int(request.url.params.get("Page", 0))
            sizes.append(request.url.params["PageSize"])
            following = f"{request.url.path}?PageSize=1000&Page={number + 1}&PageToken=PA{number}"
            return httpx.Response(200, json={"messages": [{"body": str(number)}] * 1000, "next_page_uri": following})

        with BlockingHarness(transport=httpx.MockTransport(handle)) as harness:
            inputs = {"twilioConnection": emulator_connection(), "limit": 2500}
            assert len(harness.action("listMessages", inputs)["data"]) == 2500
        assert sizes == ["1000"] * 3

    def test_pages_resume_in_another_host_and_keep_to_the_limit(self, filled: BlockingHarness) -> None:
        def page(after: str | None, **inputs: Any) -> Page:
            async def fetch() -> Page:
                async with Host.discover(transport=filled.emulator.transport) as host:
                    given = {"twilioConnection": emulator_connection(), **inputs}
                    return await host.list_page("twilio", "listMessages", given, after=after)

            return asyncio.run(fetch())

        seen: list[list[int]] = []
        after = None
        while len(seen) < 10:
            one = page(after, limit=18, pageSize=8)
            seen.append([int(item["body"]) for item in one.items])
            after = json.loads(json.dumps(one.next))
            if after is None:
                break
        assert seen == [[*range(24, 16, -1)], [*range(16, 8, -1)], [8, 7]]

    @pytest.mark.parametrize(
        "cursor",
        [
            "",
            "https://elsewhere.example/x",
            "//elsewhere.example/x",
            "/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json?Page=1",
            "{path}?Page=1#0",
            "{path}?Page=1#x",
            "{path}?Page=1\r\nX-Mine: 1",
            "{path}?Page= 1",
            "{path}?Page=é",
        ],
    )
    def test_a_cursor_of_another_list_or_place_is_refused_and_nothing_sent(
        self, twilio_harness_blocking: BlockingHarness, cursor: str
    ) -> None:
        connection = emulator_connection()
        path = f"/2010-04-01/Accounts/{connection['fields']['username']}/Messages.json"

        async def fetch() -> None:
            async with Host.discover(transport=twilio_harness_blocking.emulator.transport) as host:
                inputs = {"twilioConnection": connection}
                await host.list_page("twilio", "listMessages", inputs, after=cursor.replace("{path}", path))

        with pytest.raises(InputError, match=r"\$\.after: must be a cursor that an earlier page of this list gave"):
            asyncio.run(fetch())
        assert not twilio_harness_blocking.emulator.request_log.requests

    def test_filters_are_twilios(self, filled: BlockingHarness) -> None:
        assert self.bodies(filled, to="+1 (555) 867-5311") == [20, 15, 10, 5, 0]
        assert self.bodies(filled, **{"from": "+15005550006"}) == []

    def test_a_day_and_a_range_exclude_each_other(self, twilio_harness_blocking: BlockingHarness) -> None:
        text = refusal(twilio_harness_blocking, "listMessages", dateSent="2026-01-01", dateSentAfter="2026-01-01")
        assert "cannot have both dateSent and dateSentAfter" in text

    async def test_dates_go_out_as_twilio_compares_them(self) -> None:
        seen: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response(200, json={"messages": [], "next_page_uri": None})

        async with Host.discover(transport=httpx.MockTransport(handle)) as host:
            filters = {"dateSentAfter": "2026-01-01", "dateSentBefore": "2026-01-02T01:00:00+01:00"}
            await host.invoke_action("twilio", "listMessages", {"twilioConnection": emulator_connection(), **filters})
        assert parse_qsl(seen[0].url.query.decode()) == [
            ("DateSent>", "2026-01-01"),
            ("DateSent<", "2026-01-02T00:00:00Z"),
            ("PageSize", "1000"),
        ]
