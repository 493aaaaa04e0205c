"""How messages live and end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from twilio_component.emulator import Emulator

SERVICE_SID = "MG" + "1" * 32


def states(emulator: Emulator, number: int = -1) -> list[str]:
    return [status for _, status in emulator.messages[number].history]


def test_a_message_passes_through_every_state_to_delivered(api: Any, emulator: Emulator) -> None:
    message = api.send()
    assert message["date_sent"] is None
    api.advance(10)
    assert states(emulator) == ["queued", "sending", "sent", "delivered"]
    assert api.fetch(message)["date_sent"] is not None
    assert api.fetch(message)["price_unit"] == "USD"


def test_a_service_accepts_first_and_chooses_its_sender_when_it_queues(api: Any, emulator: Emulator) -> None:
    number = emulator.add_number("+15550001111")
    service = emulator.add_service("Alerts", [number])
    message = api.send(From="", MessagingServiceSid=service.sid)
    assert (message["status"], message["from"], message["num_segments"]) == ("accepted", None, "0")
    api.advance(10)
    assert states(emulator) == ["accepted", "queued", "sending", "sent", "delivered"]
    delivered = api.fetch(message)
    assert (delivered["from"], delivered["num_segments"]) == ("+15550001111", "1")


def test_a_service_that_nobody_declared_sends_from_the_magic_number(api: Any) -> None:
    message = api.send(From="", MessagingServiceSid=SERVICE_SID)
    api.advance(10)
    assert api.fetch(message)["from"] == "+15005550006"


def test_a_service_keeps_to_one_sender_for_each_recipient_and_to_the_channel(api: Any, emulator: Emulator) -> None:
    numbers = [emulator.add_number(f"+1555000111{n}") for n in range(5)]
    service = emulator.add_service("Alerts", numbers)
    for to in ("+15558675310", "+15558675311", "whatsapp:+15558675310", "+15558675310"):
        api.send(To=to, From="", MessagingServiceSid=service.sid)
    api.advance(10)
    first, _, whatsapp, again = [message.sender for message in emulator.messages]
    assert first == again
    assert whatsapp is not None
    assert whatsapp.startswith("whatsapp:+1555000111")


@pytest.mark.parametrize(("declared", "code"), [("another", 21701), ("empty", 21703)])
def test_a_service_that_cannot_send_is_refused(api: Any, emulator: Emulator, declared: str, code: int) -> None:
    service = emulator.add_service("Empty", [])
    sid = service.sid if declared == "empty" else SERVICE_SID
    assert api.send(From="", MessagingServiceSid=sid)["code"] == code


def test_an_account_that_has_numbers_sends_from_no_other(api: Any, emulator: Emulator) -> None:
    emulator.add_number("+15550001111")
    other = emulator.accounts.get("AC" + "9" * 32)
    emulator.add_number("+15550002222", account=other)
    assert api.send(From="+15550001111")["status"] == "queued"
    assert api.send(From="+15005550006")["status"] == "queued"
    assert api.send(From="ACME")["status"] == "queued"
    assert api.send(From="+15550003333")["code"] == 21606
    assert api.send(From="+15550002222")["code"] == 21660


def test_rules_decide_who_fails_by_number_by_text_and_by_count(api: Any, emulator: Emulator) -> None:
    emulator.lifecycle.undeliver(30003, to="+15550000001")
    emulator.lifecycle.fail(30007, body="lottery")
    emulator.lifecycle.fail(nth=2, sender="ACME")
    sent = [
        api.send(),
        api.send(To="+15550000001"),
        api.send(Body="You won the lottery"),
        api.send(From="ACME"),
        api.send(From="ACME"),
        api.send(From="ACME"),
    ]
    api.advance(10)
    ends = [(now["status"], now["error_code"]) for now in map(api.fetch, sent)]
    assert ends == [
        ("delivered", None),
        ("undelivered", 30003),
        ("failed", 30007),
        ("delivered", None),
        ("failed", 30008),
        ("delivered", None),
    ]
    assert states(emulator, 1) == ["queued", "sending", "sent", "undelivered"]
    assert states(emulator, 2) == ["queued", "failed"]
    assert api.fetch(sent[1])["error_message"] == "Unreachable destination handset"


def test_the_rule_that_was_added_last_applies_first_and_only_so_often(api: Any, emulator: Emulator) -> None:
    emulator.lifecycle.undeliver()
    emulator.lifecycle.add_rule("delivered", None, times=1)
    sent = [api.send(), api.send()]
    api.advance(10)
    assert [api.fetch(one)["status"] for one in sent] == ["delivered", "undelivered"]


def test_a_whatsapp_message_is_read_and_another_is_never_confirmed(api: Any, emulator: Emulator) -> None:
    emulator.lifecycle.read(to="whatsapp:+15558675310")
    emulator.lifecycle.never_confirm(to="+15550000001")
    read = api.send(To="whatsapp:+15558675310", From="whatsapp:+15017122661")
    silent = api.send(To="+15550000001")
    api.advance(1000)
    assert states(emulator, 0) == ["queued", "sending", "sent", "delivered", "read"]
    assert (api.fetch(read)["status"], api.fetch(silent)["status"]) == ("read", "sent")


def test_a_message_that_waits_longer_than_it_is_valid_expires(api: Any, emulator: Emulator) -> None:
    emulator.lifecycle.durations.queued = 60
    message = api.send(ValidityPeriod="10")
    lasting = api.send(ValidityPeriod="120")
    api.advance(100)
    assert (api.fetch(message)["status"], api.fetch(message)["error_code"]) == ("failed", 30036)
    assert api.fetch(lasting)["status"] == "delivered"


@pytest.mark.parametrize("form", [{"SendAt": "2026-01-01T01:00:00"}, {"SendAt": "2026-01-01T02:00:00+01:00"}])
def test_a_scheduled_message_waits_for_its_time_in_any_zone(api_of: Any, form: dict[str, str]) -> None:
    emulator = Emulator(start=datetime(2026, 1, 1, tzinfo=UTC))
    api = api_of(emulator)
    message = api.send(From="", MessagingServiceSid=SERVICE_SID, ScheduleType="fixed", **form)
    assert message["status"] == "scheduled"
    api.advance(timedelta(hours=1).total_seconds() + 10)
    assert api.fetch(message)["date_sent"] == "Thu, 01 Jan 2026 01:00:00 +0000"


@pytest.mark.parametrize("send_at", ["soon", "2026-01-01T00:01:00Z", "2026-03-01T00:00:00Z"])
def test_a_time_that_cannot_be_scheduled_is_refused(api_of: Any, send_at: str) -> None:
    api = api_of(Emulator(start=datetime(2026, 1, 1, tzinfo=UTC)))
    answer = api.send(From="", MessagingServiceSid=SERVICE_SID, ScheduleType="fixed", SendAt=send_at)
    assert answer["code"] == 35114


def test_a_template_fills_in_its_blanks(api: Any, emulator: Emulator) -> None:
    template = emulator.add_template("Greeting", "Hi {{1}}, it is {{ when }}", variables={"when": "today"})
    filled = api.send(Body="", ContentSid=template.sid, ContentVariables='{"1": "Ada"}')
    assert filled["body"] == "Hi Ada, it is today"
    assert api.send(Body="", ContentSid=template.sid)["code"] == 21656
    assert api.send(Body="", ContentSid="HX" + "0" * 32)["code"] == 21655


def test_a_template_that_nobody_declared_is_accepted(api: Any) -> None:
    assert api.send(Body="", ContentSid="HX" + "0" * 32)["status"] == "queued"


def test_reset_forgets_everything_that_happened_and_will_happen(api: Any, emulator: Emulator) -> None:
    emulator.lifecycle.fail()
    emulator.faults.rate_limit(times=None)
    emulator.accounts.declare()
    emulator.reset()
    message = api.send()
    emulator.reset()
    assert emulator.clock.pending == 0
    assert (emulator.messages, emulator.lifecycle.rules, emulator.faults.active) == ([], [], [])
    assert message["status"] == "queued"
    assert not emulator.request_log.requests
