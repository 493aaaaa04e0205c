"""The official SDK, unmodified but for where its requests go, against the emulator on a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twilio_component.emulator.server import ServerInThread

ACCOUNT_SID = "AC" + "a" * 32
AUTH_TOKEN = "an auth token"


class RedirectedClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's own client; every product's host becomes the emulator's."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    def request(self, method: str, url: str, *arguments: Any, **named: Any) -> Any:
        return super().request(method, moved(url, self._base_url), *arguments, **named)


class RedirectedAsyncClient(AsyncTwilioHttpClient):  # type: ignore[misc]  # the SDK has no types
    """Likewise, asynchronous."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    async def request(self, method: str, url: str, *arguments: Any, **named: Any) -> Any:
        return await super().request(method, moved(url, self._base_url), *arguments, **named)


def moved(url: str, base_url: str) -> str:
    parts = urlsplit(url)
    return f"{base_url}{parts.path}?{parts.query}" if parts.query else f"{base_url}{parts.path}"


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture
def server(emulator: Emulator) -> Iterator[ServerInThread]:
    """The emulator on a socket; its time moves only when a test moves it."""
    with emulator.serve_in_thread(real_time=False) as running:
        yield running


@pytest.fixture
def sdk_for(server: ServerInThread) -> Iterator[Any]:
    """Makes SDK clients: ``sdk_for(user, secret, account_sid)``."""
    clients: list[RedirectedClient] = []

    def make(user: str = ACCOUNT_SID, secret: str = AUTH_TOKEN, account_sid: str | None = None) -> Client:
        clients.append(RedirectedClient(server.url))
        return Client(user, secret, account_sid, http_client=clients[-1])

    yield make
    for client in clients:
        client.session.close()


@pytest.fixture
def sdk(sdk_for: Any) -> Client:
    return sdk_for()


@pytest.fixture
def async_client_type(server: ServerInThread) -> Any:
    """Makes the SDK's asynchronous HTTP client; to be called inside an event loop."""
    return lambda: RedirectedAsyncClient(server.url)
