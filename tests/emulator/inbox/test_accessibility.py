"""The inbox, judged by axe: every view, light on a wide window and dark on a narrow one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from twilio_component.emulator import Emulator

SERIOUS = ("serious", "critical")


def nothing_yet(_: Any) -> None:
    """The page as it is opened."""


def conversations(desk: Any) -> None:
    """Messages of every kind, the failed and the refused among them, none open."""
    desk.emulator.lifecycle.undeliver(30003, times=1)
    desk.send(Body="lost")
    desk.send(Body="Grüße ☃", To="whatsapp:+4915112345678", From="whatsapp:+15017122661")
    desk.send(To="+15550000002", From="rcs:brand_agent", MediaUrl="https://media.example.com/cat.png")
    desk.emulator.faults.rate_limit()
    desk.send(Body="refused")
    desk.receive("STOP")
    desk.emulator.faults.server_error(times=3)
    desk.advance(5)
    desk.open()
    desk.page.locator(".line").nth(2).wait_for()


def a_conversation(desk: Any) -> None:
    """A conversation that is open, with everything that can stand in one."""
    conversations(desk)
    desk.pick()
    desk.bubble("refused").wait_for()


def details(desk: Any) -> None:
    """What is behind a failed message, unfolded."""
    a_conversation(desk)
    desk.bubble("lost").locator(".bubble").click()
    desk.page.locator(".exchange summary").first.click()
    desk.page.locator(".block").first.wait_for()


def switched_on(desk: Any) -> None:
    """The dialog with what can be switched on."""
    desk.page.get_by_role("button", name="Conditions").click()
    desk.page.get_by_role("dialog", name="Conditions").wait_for()


def a_new_text(desk: Any) -> None:
    """The dialog for a new text."""
    desk.page.keyboard.press("n")
    desk.page.get_by_role("dialog", name="New text").wait_for()


@pytest.mark.parametrize(
    ("color_scheme", "viewport"),
    [("light", {"width": 1360, "height": 820}), ("dark", {"width": 390, "height": 800})],
    ids=["light and wide", "dark and narrow"],
)
@pytest.mark.parametrize("view", [nothing_yet, conversations, a_conversation, details, switched_on, a_new_text])
def test_axe_finds_nothing_serious(
    desk_of: Callable[..., Any], view: Callable[[Any], None], color_scheme: str, viewport: dict[str, int]
) -> None:
    with desk_of(Emulator(), color_scheme=color_scheme, viewport=viewport, reduced_motion="reduce") as desk:
        desk.open()
        view(desk)
        found = Axe().run(desk.page).response["violations"]
    serious = [(one["id"], one["help"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS]
    assert serious == []
