"""A list of two thousand with failures of three codes, and pause and resume, as people see them."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, func, insert, update
from support.long_lists import flow, people, sent, stored
from support.slow_transport import SlowFirstMessage

from twilio_component.durable import ids
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.schema import items, loops, runs
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    import asyncio

Make = Callable[..., Any]
COUNT = 2_000
TRIED = 60
FAILING = {21610: range(20), 21614: range(20, 32), 30007: range(32, 40)}


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def set_event(event: asyncio.Event) -> None:
    event.set()


def let_it_be_longer(operated: Any, run: str) -> None:
    """Make the list of a run that has ended longer, by items that succeeded: what failed and is tried again is real."""
    ordinal = operated.call(stored(operated.served, loops))[0]["ordinal"]
    row = {"run": run, "ordinal": ordinal, "state": "succeeded", "finished_at": time.time()}
    more = [{**row, "id": ids.item_id(run, ordinal, number), "number": number} for number in range(TRIED, COUNT)]

    def work(connection: Connection) -> None:
        connection.execute(insert(items), more)
        connection.execute(update(loops).values(taken=COUNT, succeeded=loops.c.succeeded + COUNT - TRIED))
        connection.execute(update(runs).values(error=func.replace(runs.c.error, f"of {TRIED}", f"of {COUNT}")))

    operated.call(operated.served.engine.database.run(work))


def test_of_a_list_of_two_thousand_what_failed_is_seen_by_code_mended_retried_and_succeeds(
    operated_of: Make, page_of: Make, tmp_path: Path
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, TRIED)
    faults = {
        code: [
            emulator.faults.api_error(code, times=None, to=numbers[place], operation="messages.create")
            for place in places
        ]
        for code, places in FAILING.items()
    }
    operated = operated_of(flow(20), emulator=emulator)
    operated.run("newsletter")
    let_it_be_longer(operated, "newsletter")
    with page_of(operated.url) as page:
        page.get_by_role("link", name="newsletter").click()
        page.get_by_role("heading", name="Main partly failed").wait_for()
        page.get_by_text("2,000 of 2,000 done").wait_for()
        page.get_by_text("40 of 2000 iterations failed").wait_for()
        failures = page.get_by_role("table", name="Failures by code")
        rows = [re.split(r"\s+", row.inner_text())[:2] for row in failures.locator("tbody tr").all()]
        assert rows == [["21610", "20"], ["21614", "12"], ["30007", "8"]]
        assert "opted out" in failures.inner_text()
        # Its step has done all that it could, and is not shown as a success for that.
        page.locator(".step", has_text="everyone").get_by_text("partly failed").wait_for()
        page.locator(".picture .node-box", has_text="Everyone").get_by_text("partly failed").wait_for()
        page.get_by_role("button", name="Show the items that failed with 21614").click()
        shown = page.get_by_role("table", name="Items that failed with 21614")
        shown.wait_for()
        assert [row.inner_text() for row in shown.locator("tbody th").all()] == [str(n) for n in FAILING[21614]]
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="1,960 succeeded").click()
        page.get_by_role("button", name="Show more items").click()
        page.locator(".items-box tbody tr").nth(99).wait_for()
        assert page.locator(".items-box tbody tr").count() == 100
        for fault in faults[21614]:
            emulator.faults.remove(fault)
        page.get_by_role("button", name="Retry the items that failed with 21614").click()
        question = page.get_by_role("dialog", name="Retry the items that failed with 21614")
        assert "Recipients who already have the message do not get it again" in question.inner_text()
        question.get_by_role("button", name="Retry").click()
        page.get_by_text("1,972 succeeded").first.wait_for()
        page.get_by_role("button", name="Retry the items that failed with 21610").wait_for()
        assert page.url.endswith("#/run/newsletter~2")
        # A SID is digits at random, seven of which may be those of a number.
        text = re.sub(r"\bSM[0-9a-f]{32}\b", "", page.inner_text("body"))
    assert not any(number[-7:] in text for number in numbers)
    assert sent(emulator) == Counter([*numbers[40:], *(numbers[place] for place in FAILING[21614])])


def test_one_item_is_tried_again_with_another_number(operated_of: Make, page_of: Make, tmp_path: Path) -> None:
    emulator = Emulator()
    numbers = people(tmp_path, 8)
    emulator.faults.api_error(21614, times=None, to=numbers[7], operation="messages.create")
    operated = operated_of(flow(5), emulator=emulator)
    operated.run("newsletter")
    other = "+15557654321"
    with page_of(f"{operated.url}/#/run/newsletter") as page:
        page.get_by_role("button", name="Show the items that failed with 21614").click()
        page.get_by_role("button", name="Retry item 7").click()
        question = page.get_by_role("dialog", name="Retry item 7")
        question.get_by_label("Another input").fill("too")
        question.get_by_label("Its value").fill(other)
        question.get_by_role("button", name="Retry").click()
        question.get_by_text("too: is not an input of send; did you mean 'to'?").wait_for()
        question.get_by_label("Another input").fill("to")
        question.get_by_role("button", name="Retry").click()
        page.get_by_role("heading", name="Main succeeded").wait_for()
        assert other[-7:] not in page.inner_text("body")
    assert sorted(message.to for message in emulator.messages) == sorted([*numbers[:7], other])


def test_a_run_is_paused_and_resumed_with_a_question_before_each(
    operated_of: Make, page_of: Make, tmp_path: Path
) -> None:
    people(tmp_path, 20)
    emulator = Emulator()
    network = SlowFirstMessage(emulator, seconds=120)  # the list waits for the person who pauses it
    settings = Settings(timeout=150, lag_bound=0.2)
    operated = operated_of(flow(1), emulator=emulator, transport=network, settings=settings)
    operated.begin("newsletter")
    with page_of(operated.url) as page:
        page.get_by_role("link", name="newsletter").click()
        page.get_by_role("progressbar", name="Progress of everyone").wait_for()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("dialog").get_by_role("button", name="Pause").click()
        page.get_by_role("heading", name="Main paused").wait_for()
        operated.call(set_event(network.arrive))
        assert operated.state("newsletter") == "paused"
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("dialog").get_by_role("button", name="Resume").click()
        page.get_by_role("heading", name="Main succeeded").wait_for(timeout=60_000)
        page.get_by_text("20 of 20 done").wait_for()
    assert len(emulator.messages) == 20
