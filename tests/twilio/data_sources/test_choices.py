"""Lists to choose from, against the emulator."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from twilio_component.emulator import Emulator
from twilio_component.host.manifest.files import shipped_file
from twilio_component.testing import BlockingHarness, create_connection
from twilio_component.twilio.errors import PermissionDeniedError


def documented(name: str) -> list[dict[str, str]]:
    result: list[dict[str, str]] = json.loads(shipped_file(f"fixtures/payloads/{name}.json").read_text())["result"]
    return result


def labels(harness: BlockingHarness, source: str, **inputs: Any) -> list[str]:
    return [choice["label"] for choice in harness.data_source(source, inputs)["result"]]


class TestMessages:
    @pytest.fixture
    def filled(self, twilio_harness_blocking: BlockingHarness) -> BlockingHarness:
        for number in range(12):
            text = f"{number}: Hi Ada,\n this is a reminder of your appointment" if number % 2 else f"{number}: Bye"
            inputs = {"to": f"+1555867531{number % 3}", "from": "+15017122661", "message": text}
            twilio_harness_blocking.action("sendSMS", inputs)
        return twilio_harness_blocking

    def test_the_start_of_the_text_and_the_recipient_the_newest_first(self, filled: BlockingHarness) -> None:
        found = filled.data_source("selectMessage")["result"]
        assert found[0]["label"] == "11: Hi Ada, this is a reminder of your a… (+15558675312)"
        assert found[1]["label"] == "10: Bye (+15558675311)"
        assert len(found) == 12
        assert found[0]["key"] == filled.emulator.messages[-1].sid
        assert [*found[0]] == [*documented("selectMessage")[0]]

    def test_it_is_bounded_filtered_and_searched(self, filled: BlockingHarness) -> None:
        assert len(labels(filled, "selectMessage", limit=5)) == 5
        assert len(labels(filled, "selectMessage", to="+15558675310")) == 4
        assert labels(filled, "selectMessage", search="BYE", limit="2") == [
            "10: Bye (+15558675311)",
            "8: Bye (+15558675312)",
        ]

    def test_a_bounded_list_asks_for_no_more_than_it_shows(self, filled: BlockingHarness) -> None:
        before = len(filled.emulator.request_log.requests)
        labels(filled, "selectMessage", limit=5)
        assert len(filled.emulator.request_log.requests) == before + 1

    def test_a_message_without_text_still_has_a_label(self, twilio_harness_blocking: BlockingHarness) -> None:
        inputs = {"to": "+15558675310", "from": "+15017122661", "mediaUrl": "https://a.example/x.png"}
        twilio_harness_blocking.action("sendSMS", inputs)
        assert labels(twilio_harness_blocking, "selectMessage") == [" (+15558675310)"]


@pytest.fixture
def equipped() -> Emulator:
    """An account with numbers, services and templates."""
    emulator = Emulator()
    numbers = [emulator.add_number("+15017122661"), emulator.add_number("+15017122662")]
    numbers[0].friendly_name = "Reminders"
    for number in range(3):
        emulator.add_service(f"Service {number}", numbers)
        emulator.add_template(f"template_{number}", "Hi {{1}}")
    return emulator


def test_numbers_are_chosen_as_from_takes_them(equipped: Emulator) -> None:
    with BlockingHarness(emulator=equipped) as harness:
        found = harness.data_source("selectPhoneNumber")["result"]
        assert {"label": "+15017122661 (Reminders)", "key": "+15017122661"} in found
        assert documented("selectPhoneNumber")[0] in found
        harness.action("sendSMS", {"to": "+15558675310", "from": found[0]["key"], "message": "Hi"})


def test_services_and_templates_are_chosen_by_name(equipped: Emulator) -> None:
    with BlockingHarness(emulator=equipped) as harness:
        assert sorted(labels(harness, "selectMessagingService")) == ["Service 0", "Service 1", "Service 2"]
        assert labels(harness, "selectMessagingService", search="2") == ["Service 2"]
        assert "template_0 (en)" in labels(harness, "selectContentTemplate")
        assert len(labels(harness, "selectContentTemplate", limit=2)) == 2
        template = harness.data_source("selectContentTemplate", {"search": "template_1"})["result"][0]
        service = harness.data_source("selectMessagingService")["result"][0]
        inputs = {
            "to": "+15558675310",
            "messagingServiceSid": service["key"],
            "contentSid": template["key"],
            "contentVariables": {"1": "Ada"},
        }
        assert harness.action("sendSMS", inputs)["data"]["status"]
    asyncio.run(equipped.clock.advance(5))


def test_a_refusal_comes_out_as_it_is() -> None:
    emulator = Emulator()
    emulator.accounts.declare("AC" + "a" * 32, "token", test=True)
    connection = create_connection("basic", {"username": "AC" + "a" * 32, "password": "token"})
    with BlockingHarness(emulator=emulator) as harness, pytest.raises(PermissionDeniedError):
        harness.data_source("selectPhoneNumber", {"twilioConnection": connection})
