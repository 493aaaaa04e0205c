"""The official SDK, unmodified but for where its requests go, against the emulator on a socket."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twilio_component.emulator.server.server import ServerInThread

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
    """The SDK's own asynchronous client, redirected in the same way."""

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


@pytest.fixture(scope="session")
def description_module() -> Any:
    """``description.py``: tests are not packages, so a module beside this one is loaded by its path."""
    spec = importlib.util.spec_from_file_location("description", Path(__file__).with_name("description.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def description(description_module: Any) -> Iterator[Any]:
    """Twilio's OpenAPI description, where ``TWILIO_OPENAPI`` names it; else None, and nothing is held against it."""
    path = os.environ.get("TWILIO_OPENAPI")
    found = description_module.Description(Path(path)) if path else None
    yield found
    if found is not None and found.is_covered:
        assert found.departed == set(description_module.DEPARTURES), "a departure that is listed is none any more"


@pytest.fixture
def server(emulator: Emulator, description: Any) -> Iterator[ServerInThread]:
    """The emulator on a socket; its time moves only when a test moves it. Every answer fits the description."""
    with emulator.serve_in_thread(real_time=False) as running:
        yield running
    if description is not None:
        problems = [problem for record in emulator.request_log.requests for problem in description.problems(record)]
        assert problems == []


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
