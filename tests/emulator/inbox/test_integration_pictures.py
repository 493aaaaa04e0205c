"""The pictures of the inbox in the how-to pages: each integration is served, and a person replies to it.

``make pictures`` takes them, into the folder that INBOX_PICTURES names; here they are only looked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.emulated_serve import served
from support.flow_runs import FIXTURES
from support.waiting import until

from twilio_component.emulator import Emulator
from twilio_component.testing import BlockingHarness

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = FIXTURES / "integrations"
DOCS = Path(__file__).parents[3] / "docs"
LARGEST = 150_000
WHERE = os.environ.get("INBOX_PICTURES")
SENDER, ADA, BOB, AGENT = "+15017122661", "+15558675310", "+15558675311", "+15558675309"
VALID = "+16055551212"  # 555 is not an area code
PAGES = {
    "confirm-an-appointment": "appointment",
    "survey-people": "survey",
    "escalate-an-alarm": "escalation",
    "run-a-campaign": "campaign",
    "hand-over-in-order": "hand-over",
    "verify-phone-numbers": "two-factor",
}
CONTEXT = {
    "viewport": {"width": 1100, "height": 640},
    "locale": "en-GB",
    "timezone_id": "UTC",
    "reduced_motion": "reduce",
}


@dataclass
class Told:
    """A served integration, its phones, and the inbox in a browser."""

    url: str
    said: Callable[[], str]
    page: Page

    def post(self, flow: str, data: Any) -> None:
        found = re.search(rf"^webhook of {flow}: (\S+?)(#\S+)?$", self.said(), re.MULTILINE)
        assert found, self.said()
        httpx.post(found[1], json=data, timeout=20).raise_for_status()

    def write(self, body: str, *, them: str = ADA, after: int) -> None:
        """Let a person write once they have been sent so many messages."""
        until(lambda: len(self.texts(them)) >= after, f"{after} messages to {them}")
        wanted = {"to": SENDER, "from": them, "body": body}
        httpx.post(f"{self.url}/_emulator/inbound", json=wanted, timeout=20).raise_for_status()

    def texts(self, them: str) -> list[Any]:
        found = httpx.get(f"{self.url}/_emulator/messages", params={"to": them}).json()["messages"]
        return [one for one in found if one["direction"].startswith("outbound") and one["status"] == "delivered"]

    def keep(self, name: str, *, phone: str, after: int) -> None:
        """Take the picture of a phone once it has been sent so many messages."""
        until(lambda: len(self.texts(phone)) >= after, f"{after} messages to {phone}")
        keep(self.page, self.url, name, phone)


def keep(page: Page, url: str, name: str, phone: str) -> None:
    page.goto(url)
    page.locator('#connection[data-state="live"]').wait_for()
    page.locator(".line", has_text=phone).click()
    page.locator(".thread-head h2", has_text=phone).wait_for()
    page.mouse.move(0, 0)
    assert WHERE is not None
    page.screenshot(path=Path(WHERE, f"inbox-{name}.png"))


@contextmanager
def telling(folder: Path, page_of: Callable[..., Any], file: str) -> Iterator[Told]:
    (folder / "people.csv").write_bytes((FOLDER / "people.csv").read_bytes())
    text = (FOLDER / f"{file}.yaml").read_text(encoding="utf-8")
    with served(folder, text) as (url, said), page_of(url, **CONTEXT) as page:
        yield Told(url, said, page)


@pytest.mark.skipif(WHERE is None, reason="`make pictures` takes them")
class TestPictures:
    def test_of_an_appointment(self, tmp_path: Path, page_of: Callable[..., Any]) -> None:
        with telling(tmp_path, page_of, "appointment-confirmation") as told:
            told.post("Ask about an appointment", {"phone": ADA, "date": "May 5"})
            told.write("Who is this?", after=1)
            told.write("Reschedule!", after=2)
            told.write("5/6/2027", after=3)
            told.keep("appointment", phone=ADA, after=4)

    def test_of_a_survey(self, tmp_path: Path, page_of: Callable[..., Any]) -> None:
        with telling(tmp_path, page_of, "survey") as told:
            told.post("Ask a person", {"phone": ADA})
            for number, reply in enumerate(["Yes 🙂", "great", "5", "station", "Nothing, really."], 1):
                told.write(reply, after=number)
            told.keep("survey", phone=ADA, after=6)

    def test_of_an_escalation(self, tmp_path: Path, page_of: Callable[..., Any]) -> None:
        with telling(tmp_path, page_of, "on-call-escalation") as told:
            told.post("Alarm", {"text": "The pump has stopped."})
            told.write("No", after=1)
            told.write("👍", them=BOB, after=1)
            told.keep("escalation", phone=ADA, after=2)

    def test_of_a_campaign(self, tmp_path: Path, page_of: Callable[..., Any]) -> None:
        with telling(tmp_path, page_of, "campaign") as told:
            told.post("Announce", {})
            # It is day in Tokyo while it is night in Hawaii: somebody is always awake.
            awake = until(lambda: self._delivered(told), "somebody is awake")
            told.keep("campaign", phone=awake[0]["to"], after=1)

    def test_of_a_hand_over(self, tmp_path: Path, page_of: Callable[..., Any]) -> None:
        with telling(tmp_path, page_of, "support-hand-over") as told:
            for number, text in enumerate(["My order has not come.", "It is number 481.", "Hello?"]):
                told.write(text, after=0 if number == 0 else number)
            told.keep("hand-over", phone=AGENT, after=3)

    def test_of_two_factors(self, page_of: Callable[..., Any]) -> None:
        emulator = Emulator()
        config = {"Verify service": emulator.add_verify_service("Owl Bank").sid}
        with BlockingHarness(emulator=emulator) as harness:
            payload = {"body": {"data": {"phone": VALID}}}
            outcome = harness.flow(FOLDER / "two-factor.yaml", flow="Send a code", payload=payload, config=config)
            assert outcome.response is not None
            assert outcome.response["statusCode"] == httpx.codes.ACCEPTED
        with emulator.serve_in_thread() as server, page_of(server.url, **CONTEXT) as page:
            keep(page, server.url, "two-factor", VALID)

    def _delivered(self, told: Told) -> list[Any]:
        found = httpx.get(f"{told.url}/_emulator/messages").json()["messages"]
        return found if found and all(one["status"] == "delivered" for one in found) else []


@pytest.mark.parametrize("page", PAGES)
def test_each_page_about_an_integration_has_its_picture(page: str) -> None:
    picture = DOCS / "images" / f"inbox-{PAGES[page]}.png"
    assert picture.stat().st_size < LARGEST
    assert f"(../images/{picture.name})" in (DOCS / "how-to" / f"{page}.md").read_text(encoding="utf-8")
