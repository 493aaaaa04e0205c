"""Texts that would like to be more than texts: names of flows and steps, ids, messages of errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from support.engine import SEND, TO

from twilio_component.emulator import Emulator

Make = Callable[..., Any]
HOSTILE = "<img src=x onerror=alert(1)>"
SECRET_TEXT = "the words of the message"
FLOWS = SEND.replace("name: Main", f'name: "{HOSTILE}"').replace("name: Send", 'name: "<b>Send</b>&amp;"')
RUN = "<script>alert(2)</script>"


def test_hostile_texts_stay_texts(operated_of: Make, page_of: Make) -> None:
    emulator = Emulator()
    emulator.faults.api_error(21211, message="\u202e<iframe src=//evil.example>")
    operated = operated_of(FLOWS, emulator=emulator)
    operated.run(RUN, HOSTILE)
    with page_of(operated.url) as page:
        page.on("dialog", lambda _: (_ for _ in ()).throw(AssertionError("a text has run as a program")))
        page.get_by_role("link", name=RUN).click()
        page.get_by_role("heading", name=HOSTILE).wait_for()
        page.get_by_text("<b>Send</b>&amp;").last.wait_for()
        for view in ("workers", "senders", "runs"):
            page.get_by_role("link", name=view.capitalize(), exact=True).first.click()
            page.locator(".page table, .page .empty").first.wait_for()
        markup = page.evaluate("document.querySelectorAll('main img, main iframe, main b, main script').length")
    assert markup == 0


def test_nothing_of_a_run_that_people_wrote_is_in_what_the_page_reads(operated_of: Make) -> None:
    emulator = Emulator()
    # Twilio quotes what it was sent.
    emulator.faults.api_error(20003, status=401, message=f"The 'To' number {TO} is wrong: '{SECRET_TEXT}'")
    operated = operated_of(SEND, emulator=emulator)
    operated.run("one")
    operated.run("two")
    with operated.client() as client:
        read = {
            path: client.get(f"/api/{path}").json()
            for path in (
                *("runs", "counts", "flows", "workers", "senders", "schedules", "webhooks", "session"),
                *(f"{what}?id={run}" for run in ("one", "two") for what in ("run", "picture")),
                *(f"result?id={run}&ordinal={ordinal}" for run in ("one", "two") for ordinal in (0, 1)),
            )
        }
    text = json.dumps(read)
    assert read["run?id=one"]["state"] == "failed"
    assert [secret for secret in (TO[-7:], SECRET_TEXT, "emulated-auth-token", "5017122661") if secret in text] == []


def test_an_operator_who_knows_a_number_finds_its_runs_however_it_is_written(operated_of: Make) -> None:
    operated = operated_of(SEND)
    operated.run("one")
    with operated.client() as client:
        for number in (TO, f"{TO[:2]} ({TO[2:5]}) {TO[5:8]}-{TO[8:]}"):
            found = client.get("/api/runs", params={"recipient": number}).json()["runs"]
            assert [run["id"] for run in found] == ["one"]
        assert client.get("/api/runs", params={"recipient": "+15550000000"}).json()["runs"] == []
        sid = client.get("/api/run", params={"id": "one"}).json()["steps"][1]["effect"]
        assert [run["id"] for run in client.get("/api/runs", params={"sid": sid}).json()["runs"]] == ["one"]
