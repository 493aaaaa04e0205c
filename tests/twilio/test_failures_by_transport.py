"""One table of failures, one contract of errors: for every transport, and for asynchronous and blocking callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from support.broken_server import http_response, serve_broken
from support.ports import reserve_port

from twilio_component.emulator import Emulator
from twilio_component.host import BlockingHost, Host
from twilio_component.testing import emulator_connection
from twilio_component.twilio.errors import (
    NoResponseError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    TwilioAPIError,
    TwilioError,
    UnexpectedResponseError,
)

httpx2: Any = pytest.importorskip("httpx2", reason="an extra that `make` installs")

CREATED = b'{"sid": "SM00000000000000000000000000000000", "status": "queued"}'
BUSY = b'{"code": 20429, "message": "Too many requests", "status": 429}'
BROKEN = b'{"code": 20500, "message": "Internal error", "status": 500}'
SEND = {"to": "+15558675310", "from": "+15017122661", "message": "Hi"}
Invoke = Callable[[str, Mapping[str, Any]], Any]


def bytes_then(data: bytes, *, stay: bool) -> Any:
    async def react(writer: asyncio.StreamWriter, _number: int) -> bool:
        writer.write(data)
        await writer.drain()
        return stay

    return react


async def silence(_writer: asyncio.StreamWriter, _number: int) -> bool:
    await asyncio.Event().wait()
    return False


# A server's reaction, the error of a POST, and the error of a GET. Without a reaction nothing listens.
UNKNOWN = (OutcomeUnknownError, NoResponseError)
FAILURES: dict[str, tuple[Any, type[TwilioError], type[TwilioError]]] = {
    "refused": (None, NotSentError, NotSentError),
    "no such host": ("https://host.invalid", NotSentError, NotSentError),
    "hung up": (bytes_then(b"", stay=False), *UNKNOWN),
    "head cut": (bytes_then(b"HTTP/1.1 201 Cre", stay=False), *UNKNOWN),
    "body cut": (
        bytes_then(http_response("201 Created", CREATED)[:-9], stay=False),
        OutcomeUnknownError,
        NoResponseError,
    ),
    "not HTTP": (bytes_then(b"SSH-2.0\r\n\r\n", stay=False), *UNKNOWN),
    "not JSON": (
        bytes_then(http_response("200 OK", b"<html>"), stay=True),
        OutcomeUnknownError,
        UnexpectedResponseError,
    ),
    "429": (bytes_then(http_response("429 Too Many Requests", BUSY), stay=True), RateLimitedError, RateLimitedError),
    "500": (bytes_then(http_response("500 Error", BROKEN), stay=True), OutcomeUnknownError, TwilioAPIError),
}


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def over_asyncio() -> AsyncIterator[Invoke]:
    async with Host.discover(sleep=no_sleep) as host:
        yield lambda action, inputs: host.invoke_action("twilio", action, inputs)


@asynccontextmanager
async def over_httpx() -> AsyncIterator[Invoke]:
    async with httpx.AsyncHTTPTransport() as transport, Host.discover(transport=transport, sleep=no_sleep) as host:
        yield lambda action, inputs: host.invoke_action("twilio", action, inputs)


@asynccontextmanager
async def over_httpx2() -> AsyncIterator[Invoke]:
    async with httpx2.AsyncHTTPTransport() as transport, Host.discover(transport=transport, sleep=no_sleep) as host:
        yield lambda action, inputs: host.invoke_action("twilio", action, inputs)


@asynccontextmanager
async def blocking() -> AsyncIterator[Invoke]:
    host = BlockingHost.discover(sleep=no_sleep)
    try:
        yield lambda action, inputs: asyncio.to_thread(host.invoke_action, "twilio", action, inputs)
    finally:
        await asyncio.to_thread(host.close)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("carrying", [over_asyncio, over_httpx, over_httpx2, blocking])
async def test_a_failure_is_the_same_error(carrying: Callable[[], Any], failure: str) -> None:
    reaction, of_post, of_get = FAILURES[failure]
    if callable(reaction):
        async with serve_broken(reaction) as server, carrying() as invoke:
            await expect(invoke, server.url, of_post, of_get)
    else:
        async with carrying() as invoke:
            await expect(invoke, reaction or f"http://127.0.0.1:{reserve_port()}", of_post, of_get)


async def expect(invoke: Invoke, url: str, of_post: type[TwilioError], of_get: type[TwilioError]) -> None:
    connection = emulator_connection()
    connection["fields"]["baseUrl"] = url
    with pytest.raises(TwilioError) as posted:
        await invoke("sendSMS", {**SEND, "twilioConnection": connection})
    assert type(posted.value) is of_post
    assert posted.value.may_have_happened is (of_post is OutcomeUnknownError)
    with pytest.raises(TwilioError) as got:
        await invoke("getSMS", {"sid": "SM" + "0" * 32, "twilioConnection": connection})
    assert type(got.value) is of_get


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
async def test_a_client_of_either_library_talks_to_the_emulators_transport(library: Any) -> None:
    emulator = Emulator()
    async with library.AsyncClient(transport=emulator.transport, base_url="https://api.twilio.com") as client:
        version = await client.get("/_emulator")
        emulator.faults.drop()
        with pytest.raises(library.RemoteProtocolError):
            await client.get("/2010-04-01/Accounts.json")
        emulator.faults.cut_off()
        with pytest.raises(library.RemoteProtocolError):
            await client.get("/2010-04-01/Accounts.json")
    assert type(version) is library.Response
    assert version.status_code == 200
