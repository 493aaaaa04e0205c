"""The official SDK, pointed at the loopback server."""

from __future__ import annotations

from typing import Any

from loopback import ACCOUNT
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

SMS = {"to": "+15558675310", "from_": "+15017122661", "body": "Hi Ada, this is a reminder."}


class _Async(AsyncTwilioHttpClient):
    url = ""

    async def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        return await super().request(method, url.replace("https://api.twilio.com", self.url), *args, **options)


class _Sync(TwilioHttpClient):
    url = ""

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self.url), *args, **options)


def asynchronous(url: str) -> tuple[Client, _Async]:
    """A client for `create_async`, and what has to be closed after it."""
    http = _Async()
    http.url = url
    return Client(ACCOUNT, "token", http_client=http), http


def synchronous(url: str) -> Client:
    """A client for `create` and `list`."""
    http = _Sync()
    http.url = url
    return Client(ACCOUNT, "token", http_client=http)
