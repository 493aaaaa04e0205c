"""Assertions about what happened, and what their failures say."""

from __future__ import annotations

from typing import Any

import pytest

from twilio_component.emulator import Emulator, request_log
from twilio_component.emulator.http import Response

TO = "+15558675310"


def test_what_was_sent_is_found_by_any_of_its_properties(api: Any, emulator: Emulator) -> None:
    api.send(Body="Your code is 123")
    api.send(To="+15550000001")
    (message,) = emulator.assert_sent(to=TO, body="code is", status="queued")
    assert message.body == "Your code is 123"
    assert len(emulator.assert_sent(times=2)) == 2
    emulator.assert_sent(times=0, body="nothing like this")


def test_a_failure_says_what_was_expected_what_came_and_what_is_nearest(api: Any, emulator: Emulator) -> None:
    api.send(Body="Your code is 123")
    api.send(To="+15550000001", Body="Good morning")
    with pytest.raises(AssertionError) as caught:
        emulator.assert_sent(to=TO, body="Your code is 124")
    lines = str(caught.value).splitlines()
    assert lines[:5] == [
        "expected at least one message with to='+15558675310', body='Your code is 124'",
        "found 0 among 2",
        "the nearest:",
        "    to: '+15558675310'",
        "    body: 'Your code is 123', expected 'Your code is 124'",
    ]
    assert lines[5] == "the last 2 of 2:"
    assert "body='Good morning'" in lines[7]


def test_too_many_are_shown_and_only_the_last_of_them(api: Any, emulator: Emulator) -> None:
    for n in range(7):
        api.send(Body=f"text {n}")
    with pytest.raises(AssertionError) as caught:
        emulator.assert_sent(times=1)
    text = str(caught.value)
    assert text.startswith("expected exactly 1 message with anything\nfound 7 among 7\nthe last 5 of 7:")
    assert "text 2" in text
    assert "text 1'" not in text


def test_where_nothing_happened_the_failure_says_just_that(emulator: Emulator) -> None:
    with pytest.raises(AssertionError) as caught:
        emulator.assert_sent()
    assert str(caught.value) == "expected at least one message with anything\nfound 0 among 0"


def test_requests_are_asserted_on_faults_included(api: Any, emulator: Emulator) -> None:
    emulator.faults.rate_limit()
    api.request("GET", "/nowhere")
    api.send()
    emulator.assert_requested(operation="messages.create", status="201", body="Body=Hello", times=1)
    emulator.assert_requested(operation=None, path="/nowhere", fault="rate_limit", status="429")


def test_webhooks_are_asserted_on_by_their_parameters(api_of: Any) -> None:
    emulator = Emulator(webhooks=lambda _: Response(204))
    api = api_of(emulator)
    api.send(StatusCallback="http://app.test/")
    api.advance(5)
    emulator.assert_webhook(kind="status", MessageStatus="delivered", status="204", times=1)
    with pytest.raises(AssertionError, match="MessageStatus: 'delivered', expected 'undelivered'"):
        emulator.assert_webhook(MessageStatus="undelivered")


@pytest.mark.parametrize(
    ("about", "conditions", "words"),
    [
        ("sent", {"bdy": "Hi"}, "cannot ask for bdy; one of these is possible: sid, account_sid, to.*mean 'body'"),
        ("sent", {"to": "555 867 5310"}, r"to is never '555 867 5310': Twilio keeps this address as \+15558675310"),
        ("sent", {"sender": "+1"}, "sender is never '.1': no message has such an address"),
        ("sent", {"status": "deliverd"}, "status is never 'deliverd': it is accepted, .*; did you mean 'delivered'"),
        ("sent", {"direction": "inbound"}, "it is outbound-api or outbound-reply"),
        ("sent", {"error_code": 30003}, "error_code is compared with a text, such as '30003', not with 30003"),
        ("sent", {"to": None}, "to is never None"),
        ("requested", {"operation": "message.list"}, "did you mean 'messages.list'"),
        ("requested", {"fault": "ratelimit"}, "did you mean 'rate_limit'"),
        ("requested", {"status": "OK"}, "it is a status of HTTP, such as '201'"),
        ("webhook", {"kynd": "status"}, "cannot ask for kynd; .*did you mean 'kind'"),
        ("webhook", {"kind": "callback"}, "it is event, inbound or status"),
        ("webhook", {"MessageStauts": "sent"}, "no webhook has the parameter MessageStauts; did you mean 'Messa"),
        ("verification", {"channel": "mail"}, "it is call, email, sms or whatsapp; did you mean 'email'"),
        ("sent", {"times": -1}, "times is 0 or more, not -1"),
        ("sent", {"times": "0"}, "times is an integer, or None for at least one, not '0'"),
    ],
)
def test_that_nothing_happened_is_not_asserted_by_a_mistake(
    emulator: Emulator, about: str, conditions: dict[str, Any], words: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        getattr(emulator, f"assert_{about}")(**{"times": 0, **conditions})


def test_what_could_happen_and_did_not_is_asserted_with_no_times(emulator: Emulator) -> None:
    emulator.assert_sent(to="whatsapp:+15558675310", sender="Acme", status="read", error_code=None, times=0)
    emulator.assert_requested(operation=None, fault=None, path="/nowhere", status="404", times=0)
    emulator.assert_webhook(kind="event", MediaUrl3="http://x", TaskSid="WT1", status=None, times=0)
    emulator.assert_verification(to="ada@example.com", channel="email", times=0)


def test_the_journal_forgets_the_oldest_first(api_of: Any) -> None:
    emulator = Emulator(request_log_limit=2)
    api = api_of(emulator)
    for n in range(3):
        api.send(Body=str(n))
    assert [record.number for record in emulator.request_log.requests] == [2, 3]


def test_the_journal_keeps_no_more_than_fits_and_always_the_last(
    api: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "LARGEST_BYTES", 2000)
    for n in range(3):
        api.send(Body=str(n))
    assert len(emulator.request_log.requests) == 2
    api.listed()
    api.send(Body="x" * 1600)
    assert [record.operation for record in emulator.request_log.requests] == ["messages.create"]
