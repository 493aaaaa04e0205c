"""A served emulator, and a browser that shows its inbox: Debian's Chromium, where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.browsers import empty_page, launched

from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from twilio_component.emulator.server.server import ServerInThread

ACCOUNT_SID, AUTH_TOKEN = "AC" + "0" * 31 + "1", "emulated-auth-token"
TO, FROM = "+15558675310", "+15017122661"


class Desk:
    """An emulator on a socket, and what one does with it: send as the application, look as a person."""

    def __init__(self, emulator: Emulator, server: ServerInThread, page: Page) -> None:
        self.emulator = emulator
        self.server = server
        self.url = server.url
        self.page = page

    def open(self) -> None:
        """Open the inbox and wait until it listens."""
        self.page.goto(self.url)
        self.page.locator('#connection[data-state="live"]').wait_for()
        self.page.locator("#thread > *").first.wait_for(state="attached")

    def send(self, **form: Any) -> httpx.Response:
        """Send a message as the application does."""
        path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
        wanted = {"To": TO, "From": FROM, "Body": "Hello"} | form
        return httpx.post(self.url + path, data=wanted, auth=(ACCOUNT_SID, AUTH_TOKEN))

    def receive(self, body: str, **options: Any) -> Any:
        """Let the phone write, without the page."""

        async def write() -> Any:
            return await self.emulator.receive(**({"to": FROM, "sender": TO, "body": body} | options))

        return self.server.call(write)

    def advance(self, seconds: float) -> None:
        self.server.call(self.emulator.clock.advance, seconds)

    def bubble(self, text: str) -> Locator:
        return self.page.locator(".item", has=self.page.get_by_text(text, exact=True)).last

    def pick(self, phone: str = TO) -> None:
        """Open the conversation with a phone."""
        self.page.locator(".line", has_text=phone).click()
        self.page.locator(".thread-head h2", has_text=phone).wait_for()

    def elements(self) -> int:
        """How many elements the page holds."""
        return int(self.page.evaluate("document.querySelectorAll('*').length"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a module, ended with it: while it runs, this thread has an event loop that others would meet."""
    with launched() as opened:
        yield opened


@pytest.fixture
def page_of(browser: Browser) -> Callable[..., Any]:
    """Makes an empty page for an inbox at a URL; in the end nothing may have gone wrong in it."""

    return partial(empty_page, browser)


@pytest.fixture
def desk_of(page_of: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a desk with an emulator of one's own."""

    @contextmanager
    def made(emulator: Emulator, **context: Any) -> Iterator[Desk]:
        with emulator.serve_in_thread() as server, page_of(server.url, **context) as page:
            yield Desk(emulator, server, page)

    return made


@pytest.fixture
def desk(desk_of: Callable[..., Any]) -> Iterator[Desk]:
    with desk_of(Emulator()) as made:
        made.open()
        yield made
