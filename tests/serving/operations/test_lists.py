"""A list with failures of three codes, and pause and resume, as people see them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.long_lists import flow, people

from twilio_component.emulator import Emulator

Make = Callable[..., Any]
COUNT = 320
FAILING = {21610: range(20), 21614: range(100, 112), 30007: range(300, 308)}


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def list_with_failures(emulator: Emulator, folder: Path, count: int = COUNT) -> list[str]:
    numbers = people(folder, count)
    for code, places in FAILING.items():
        for place in places:
            emulator.faults.api_error(code, times=None, to=numbers[place], operation="messages.create")
    return numbers


def test_a_list_shows_its_failures_by_code_and_the_items_that_failed(
    operated_of: Make, page_of: Make, tmp_path: Path
) -> None:
    emulator = Emulator()
    numbers = list_with_failures(emulator, tmp_path)
    operated = operated_of(flow(20), emulator=emulator)
    operated.begin("newsletter")
    with page_of(operated.url) as page:
        page.get_by_role("link", name="newsletter").click()
        page.get_by_role("progressbar", name="Progress of everyone").wait_for()
        page.get_by_text(f"{COUNT} of {COUNT} done").wait_for(timeout=90_000)
        failures = page.get_by_role("table", name="Failures by code")
        rows = [re.split(r"\s+", row.inner_text())[:2] for row in failures.locator("tbody tr").all()]
        assert rows == [["21610", "20"], ["21614", "12"], ["30007", "8"]]
        assert "opted out" in failures.inner_text()
        # Its step has done all that it could, and is not shown as a success for that.
        page.locator(".step", has_text="everyone").get_by_text("partly failed").wait_for()
        page.locator(".picture .node-box", has_text="Everyone").get_by_text("partly failed").wait_for()
        page.get_by_role("button", name="Show the items that failed with 21614").click()
        items = page.get_by_role("table", name="Items that failed with 21614")
        items.wait_for()
        assert [row.inner_text() for row in items.locator("tbody th").all()] == [str(n) for n in range(100, 112)]
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name=f"{COUNT - 40} succeeded").click()
        page.get_by_role("button", name="Show more items").click()
        page.locator(".items-box tbody tr").nth(99).wait_for()
        # A SID is digits at random, seven of which may be those of a number.
        text = re.sub(r"\bSM[0-9a-f]{32}\b", "", page.inner_text("body"))
    assert not any(number[-7:] in text for number in numbers)


def test_the_items_that_failed_with_a_code_are_mended_retried_and_succeed(
    operated_of: Make, page_of: Make, tmp_path: Path
) -> None:
    emulator = Emulator()
    numbers = people(tmp_path, 40)
    mended = emulator.faults.api_error(21614, times=None, to=numbers[7], operation="messages.create")
    emulator.faults.api_error(21610, times=None, to=numbers[9], operation="messages.create")
    operated = operated_of(flow(5), emulator=emulator)
    operated.run("newsletter")
    with page_of(operated.url) as page:
        page.get_by_role("link", name="newsletter").click()
        page.get_by_role("heading", name="Main partly failed").wait_for()
        emulator.faults.remove(mended)
        page.get_by_role("button", name="Retry the items that failed with 21614").click()
        question = page.get_by_role("dialog", name="Retry the items that failed with 21614")
        assert "Nobody who has a message gets it once more" in question.inner_text()
        question.get_by_role("button", name="Retry").click()
        page.get_by_text("39 succeeded").first.wait_for()
        page.get_by_role("button", name="Retry the items that failed with 21610").wait_for()
        assert page.url.endswith("#/run/newsletter~2")
    sent = sorted(message.to for message in emulator.messages)
    assert sent == sorted(number for number in numbers if number != numbers[9])


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
        question.get_by_text("too: is no input of send; did you mean 'to'?").wait_for()
        question.get_by_label("Another input").fill("to")
        question.get_by_role("button", name="Retry").click()
        page.get_by_role("heading", name="Main succeeded").wait_for()
        assert other[-7:] not in page.inner_text("body")
    assert sorted(message.to for message in emulator.messages) == sorted([*numbers[:7], other])


def test_a_run_is_paused_and_resumed_with_a_question_before_each(
    operated_of: Make, page_of: Make, tmp_path: Path
) -> None:
    people(tmp_path, 60)
    emulator = Emulator()
    emulator.faults.slow(None, seconds=0.1)
    operated = operated_of(flow(2), emulator=emulator)
    operated.begin("newsletter")
    with page_of(operated.url) as page:
        page.get_by_role("link", name="newsletter").click()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("dialog").get_by_role("button", name="Pause").click()
        page.get_by_role("heading", name="Main paused").wait_for()
        assert operated.state("newsletter") == "paused"
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("dialog").get_by_role("button", name="Resume").click()
        page.get_by_role("heading", name="Main succeeded").wait_for(timeout=60_000)
    assert len(emulator.messages) == 60
