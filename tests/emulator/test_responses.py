"""What every response has, and responses that say less than they should."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from twilio_component.emulator import Emulator


@pytest.mark.parametrize("path", ["/", "/_emulator", "/2010-04-01/Accounts.json", "/nowhere"])
def test_every_response_has_the_clocks_date(api: Any, emulator: Emulator, path: str) -> None:
    api.advance(3600)
    date = parsedate_to_datetime(api.request("GET", path).headers["Date"])
    assert abs(date.timestamp() - emulator.clock.now()) < 5


@pytest.mark.parametrize("seconds", [900, -900])
def test_the_date_may_be_skewed(api: Any, emulator: Emulator, seconds: float) -> None:
    assert api.request("POST", "/_emulator/faults", json={"fault": "skewClock", "seconds": seconds}).status_code == 204
    date = parsedate_to_datetime(api.request("GET", "/2010-04-01/Accounts.json").headers["Date"])
    assert abs(date.timestamp() - emulator.clock.now() - seconds) < 5
    emulator.faults.clear()
    date = parsedate_to_datetime(api.request("GET", "/2010-04-01/Accounts.json").headers["Date"])
    assert abs(date.timestamp() - emulator.clock.now()) < 5


def test_a_server_sends_the_emulators_date_and_not_its_own() -> None:
    emulator = Emulator()
    emulator.faults.skew_clock(86_400)
    with emulator.serve_in_thread() as server:
        date = parsedate_to_datetime(httpx.get(f"{server.url}/_emulator").headers["Date"])
    assert date.timestamp() - emulator.clock.now() > 80_000


@pytest.mark.parametrize("content", ["", "{}", "null", "ok"])
def test_a_response_may_say_nothing_although_the_message_was_sent(api: Any, emulator: Emulator, content: str) -> None:
    emulator.faults.blank(content=content, operation="messages.create")
    form = {"To": "+15558675310", "From": "+15017122661", "Body": "Hello"}
    response = api.request("POST", api.path, data=form)
    assert (response.status_code, response.text) == (201, content)
    emulator.assert_sent(times=1)


def test_a_response_may_say_nothing_because_nothing_happened(api: Any, emulator: Emulator) -> None:
    wanted = {"fault": "blank", "content": "ok", "accepted": False}
    assert api.request("POST", "/_emulator/faults", json=wanted).status_code == 200
    response = api.request("POST", api.path, data={"To": "+15558675310", "From": "+15017122661", "Body": "Hello"})
    assert (response.status_code, response.text, emulator.messages) == (200, "ok", [])


def test_any_error_of_twilios_can_be_asked_for(api: Any, emulator: Emulator) -> None:
    emulator.faults.api_error(63038, status=429)
    refused = api.send()
    assert (refused["code"], refused["status"]) == (63038, 429)
    assert "daily limit" in refused["message"]
    wanted = {"fault": "apiError", "code": 12345, "message": "Strange"}
    assert api.request("POST", "/_emulator/faults", json=wanted).status_code == 200
    assert api.send()["message"] == "Strange"
    assert emulator.messages == []
    with pytest.raises(ValueError, match="400 to 599, not 200"):
        emulator.faults.api_error(1, status=200)


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("api.twilio.com", "/2010-04-01/Accounts.json", 200),
        ("api.dublin.ie1.twilio.com", "/2010-04-01/Accounts.json", 200),
        ("messaging.twilio.com", "/v1/Services", 200),
        ("api.twilio.com", "/v1/Services", 501),
        ("conversations.twilio.com", "/v1/Services", 501),
        ("content.twilio.com", "/2010-04-01/Accounts.json", 404),
        ("localhost", "/v1/Services", 200),
    ],
)
def test_a_host_of_twilios_has_its_products_paths_only(api: Any, host: str, path: str, status: int) -> None:
    assert api.request("GET", f"https://{host}{path}").status_code == status


def test_a_scheduled_message_that_is_sent_now_stands_before_one_that_was_created_later(
    api: Any, emulator: Emulator
) -> None:
    service = emulator.add_service("S", [emulator.add_number("+15017122661")])
    at = emulator.clock.now() + 3600
    scheduled = api.send(
        From="", MessagingServiceSid=service.sid, ScheduleType="fixed", SendAt=_iso(at), Body="Scheduled"
    )
    api.advance(1800)
    api.send(Body="Between")
    assert [one["body"] for one in api.listed()] == ["Between", "Scheduled"]
    api.advance(1900)
    assert [one["body"] for one in api.listed()] == ["Scheduled", "Between"]
    assert [one.body for one in emulator.messages] == ["Scheduled", "Between"]
    assert api.fetch(scheduled)["status"] == "delivered"
    pages = [api.listed("PageSize=1"), api.request("GET", f"{api.path}?PageSize=1").json()["next_page_uri"]]
    assert [pages[0][0]["body"], api.request("GET", pages[1]).json()["messages"][0]["body"]] == ["Scheduled", "Between"]


def _iso(seconds: float) -> str:

    return datetime.fromtimestamp(seconds, UTC).isoformat()
