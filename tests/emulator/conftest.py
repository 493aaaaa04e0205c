"""The emulator in process, for tests that are plain functions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from twilio_component.emulator import Emulator

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "emulated-auth-token"
TO, FROM = "+15558675310", "+15017122661"


class Api:
    """Requests to one emulator, each in an event loop of its own."""

    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def one_request() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self.emulator.transport,
                base_url="https://api.twilio.com",
                auth=(ACCOUNT_SID, AUTH_TOKEN),
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(one_request())

    def send(self, **form: Any) -> Any:
        """Send a message; the JSON of the answer."""
        return self.request("POST", self.path, data={"To": TO, "From": FROM, "Body": "Hello", **form}).json()

    def fetch(self, message: Any) -> Any:
        return self.request("GET", message["uri"]).json()

    def listed(self, query: str = "") -> Any:
        return self.request("GET", f"{self.path}?{query}").json()["messages"]

    def advance(self, seconds: float) -> None:
        asyncio.run(self.emulator.clock.advance(seconds))

    def receive(self, body: str, media: Iterable[tuple[str, bytes]] = (), **options: Any) -> Any:
        """Let the recipient write to the sender."""
        options = {"to": FROM, "sender": TO} | options
        return asyncio.run(self.emulator.receive(body=body, media=media, **options))


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture
def api(emulator: Emulator) -> Api:
    return Api(emulator)


@pytest.fixture
def api_of() -> type[Api]:
    """For tests that make an emulator of their own: ``api_of(Emulator(…))``."""
    return Api
