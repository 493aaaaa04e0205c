"""The pictures of the page in the documentation, taken here, and what axe finds in the same views.

``OPERATIONS_PICTURES=docs/images`` keeps them there (``make pictures``); otherwise they are only taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from support.ferry_morning import play

Make = Callable[..., Any]
ROOT = Path(__file__).parents[3]
PICTURES = ROOT / "docs" / "images"
LARGEST = 250_000
SERIOUS = ("serious", "critical")
LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}
KEPT = ("operations-runs-light.png", "operations-run-light.png", "operations-run-dark.png", "operations-list-phone.png")


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_view_is_accessible_fits_a_phone_and_has_its_picture_taken(
    operated_of: Make, page_of: Make, tmp_path: Path
) -> None:
    operated = play(operated_of, tmp_path)
    for look, context in LOOKS.items():
        with page_of(operated.url, reduced_motion="reduce", locale="en-GB", timezone_id="UTC", **context) as page:

            def judge(name: str, look: str = look, page: Any = page) -> None:
                found = Axe().run(page).response["violations"]
                bad = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS]
                assert (name, look, bad) == (name, look, [])
                width = page.evaluate("document.documentElement.scrollWidth")
                assert (name, look, width) == (name, look, page.viewport_size["width"])
                take(page, tmp_path / f"operations-{name}-{look}.png")

            page.get_by_role("link", name="booking-8").wait_for()
            judge("runs")
            page.get_by_role("link", name="booking-6").click()
            page.get_by_role("region", name="Why it ended so").wait_for()
            page.locator("summary").last.click()
            judge("run")
            page.get_by_role("button", name="Retry").click()
            judge("question")
            page.keyboard.press("Escape")
            page.goto(f"{operated.url}/#/run/delay-09-00")
            page.get_by_role("button", name="Show the items that failed with 21614").click()
            page.get_by_role("table", name="Items that failed with 21614").wait_for()
            judge("list")
            page.goto(f"{operated.url}/#/run/booking-8")
            page.locator(".wait").wait_for()
            judge("held")
            for name in ("workers", "senders", "schedules", "webhooks"):
                page.goto(f"{operated.url}/#/{name}")
                page.locator("main h2").wait_for()
                judge(name)


def take(page: Any, path: Path) -> None:
    """Take a picture of the whole page, and keep it where it is wanted."""
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    # The folder of a test is nobody's database.
    page.evaluate("document.getElementById('database').textContent = 'sqlite:////srv/ferry/runs.sqlite'")
    page.screenshot(path=path, full_page=True)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    folder = os.environ.get("OPERATIONS_PICTURES")
    if folder and path.name in KEPT:
        assert len(content) < LARGEST
        Path(ROOT, folder, path.name).write_bytes(content)


@pytest.mark.parametrize("name", KEPT)
def test_the_picture_in_the_documentation_is_there_and_small(name: str) -> None:
    assert (PICTURES / name).stat().st_size < LARGEST
