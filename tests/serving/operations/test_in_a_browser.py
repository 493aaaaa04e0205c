"""The page of operations as people use it: see what failed, read why, mend it, see it succeed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.engine import SEND, TO

from twilio_component.emulator import Emulator

Make = Callable[..., Any]


def test_a_run_fails_is_read_mended_retried_and_succeeds(operated_of: Make, page_of: Make) -> None:
    emulator = Emulator()
    emulator.faults.api_error(20003, status=401)
    operated = operated_of(SEND, emulator=emulator)
    operated.run("order-17")
    with page_of(operated.url) as page:
        page.get_by_role("link", name="failed 1", exact=True).click()
        page.get_by_role("link", name="order-17").click()
        page.get_by_role("heading", name="Main failed").wait_for()
        card = page.get_by_role("region", name="Why it ended so")
        assert "Twilio does not accept the credentials." in card.inner_text()
        assert "Check Account SID and Auth Token" in card.inner_text()
        send = page.locator(".step", has=page.get_by_text("send", exact=True))
        send.locator("summary").click()
        assert "***10" in send.inner_text()
        assert "text of 24 characters" in send.inner_text()
        page.get_by_role("button", name="Retry").click()
        question = page.get_by_role("dialog", name="Retry Main")
        assert "What was done before is not done again" in question.inner_text()
        question.get_by_role("button", name="Retry").click()
        page.get_by_role("heading", name="Main succeeded").wait_for()
        assert page.url.endswith("#/run/order-17~2")
        assert page.get_by_role("link", name="order-17 (retried)").is_visible()
        text = page.inner_text("body")
    assert len(emulator.messages) == 1
    assert TO not in text
    assert "the words of the message" not in text


def test_a_question_that_is_not_confirmed_changes_nothing(operated_of: Make, page_of: Make) -> None:
    emulator = Emulator()
    emulator.faults.api_error(20003, status=401)
    operated = operated_of(SEND, emulator=emulator)
    operated.run("order-17")
    with page_of(f"{operated.url}") as page:
        page.get_by_role("link", name="order-17").click()
        page.get_by_role("button", name="Retry").click()
        page.get_by_role("button", name="Leave it").click()
        page.get_by_role("button", name="Retry").click()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
    assert operated.state("order-17") == "failed"
    assert emulator.messages == []


def test_all_runs_that_failed_in_a_flow_are_run_again_after_a_question(operated_of: Make, page_of: Make) -> None:
    emulator = Emulator()
    fault = emulator.faults.api_error(20003, status=401, times=None)
    operated = operated_of(SEND, emulator=emulator)
    for number in range(4):
        operated.run(f"order-{number}")
    emulator.faults.remove(fault)
    with page_of(f"{operated.url}/#/runs") as page:
        page.get_by_role("link", name="failed 4", exact=True).click()
        page.get_by_role("button", name="Retry all of these").click()
        question = page.get_by_role("dialog", name="Retry 4 runs")
        assert "(failed)" in question.inner_text()
        question.get_by_role("button", name="Retry").click()
        page.get_by_text("No run is like that.").wait_for()
        page.get_by_role("link", name="succeeded 4", exact=True).wait_for()
    assert len(emulator.messages) == 4


def test_what_cannot_be_run_again_is_said_with_the_reason(operated_of: Make) -> None:
    emulator = Emulator()
    emulator.faults.api_error(20003, status=401, times=None)
    operated = operated_of(SEND, emulator=emulator)
    operated.run("order-1")
    with operated.client() as client:
        headers = {"Origin": operated.url, "X-CSRF-Token": client.get("/api/session").json()["csrf"]}
        assert client.get("/api/retryable?state=failed&flow=Main").json() == {"count": 1, "most": 200}
        assert client.get("/api/retryable?state=failed&since=2999-01-01").json()["count"] == 0
        assert client.get("/api/retryable?state=unknown").status_code == 400
        bad = {"state": "failed", "since": 17}, {"state": "failed", "flow": []}, {"state": "succeeded"}
        assert {client.post("/api/retries", json=body, headers=headers).status_code for body in bad} == {400}
        asked = {"state": "failed", "definition": "current"}
        told = client.post("/api/retries", json=asked, headers=headers).json()
    assert (told["begun"], [one["id"] for one in told["refused"]]) == (0, ["order-1"])
    assert "is served" in told["refused"][0]["problem"]
