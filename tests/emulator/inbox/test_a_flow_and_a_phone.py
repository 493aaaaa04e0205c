"""``serve --emulator`` and the inbox: a flow under development, answered from the browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.emulated_serve import served


def test_one_writes_to_a_flow_and_reads_its_answer(tmp_path: Path, page_of: Callable[..., Any]) -> None:
    with served(tmp_path) as (url, _), page_of(url) as page:
        page.goto(url)
        page.get_by_role("button", name="New text").click()
        dialog = page.get_by_role("dialog", name="New text")
        # The number is the flow's already.
        assert dialog.get_by_label("To the number").input_value() == "+15017122661"
        dialog.get_by_label("Text").fill("Is my table ready?")
        dialog.get_by_role("button", name="Send").click()
        page.locator(".item.mine", has_text="Is my table ready?").wait_for()
        answer = page.locator(".item.theirs", has_text="You wrote Is my table ready?")
        answer.wait_for(timeout=20_000)
        answer.get_by_text("Delivered", exact=True).wait_for()
        field = page.get_by_role("textbox", name="Reply from the phone")
        field.fill("Thank you")
        field.press("Enter")
        page.locator(".item.theirs", has_text="You wrote Thank you").wait_for(timeout=20_000)
        answer.locator(".bubble").click()
        page.get_by_text("Status callback: delivered").wait_for()
