"""A user's program: type checkers find every public name in it, with its types, and nothing that is wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import httpx

from twilio_component import BlockingHost, Host, __version__, explain, verify
from twilio_component.emulator import Emulator
from twilio_component.flows import FlowRunner, Outcome, load_integration
from twilio_component.host import (
    Action,
    Component,
    Context,
    Display,
    InputError,
    Page,
    PerformError,
    PollAgain,
    Problem,
    Result,
    collect_pages,
    connection_from_file,
    hookimpl,
)
from twilio_component.testing import BlockingHarness, Harness, signed_payload
from twilio_component.twilio.errors import OutcomeUnknownError
from twilio_component.twilio.signatures import WebhookRefusedError


class ParcelLostError(PerformError):
    """An error of one's own."""

    code = "parcel-lost"


async def track(context: Context, inputs: Mapping[str, Any]) -> Result | PollAgain:
    """A perform function."""
    logger: logging.Logger | logging.LoggerAdapter[Any] = context.logger
    logger.info("tracking")
    return PollAgain(2.5) if context.waited < 10 else Result(value={"parcel": inputs["parcel"]})


async def page(_context: Context, _inputs: Mapping[str, Any], after: str | None) -> Page:
    """A page function."""
    return Page([{"parcel": 1}], next=None if after else "2")


LIST = Action(key="list", display=Display(label="List"), perform=collect_pages(page), page=page)


@hookimpl
def register_component() -> Component:
    """A plugin."""
    track_action = Action(key="track", display=Display(label="Track"), perform=track, waits=True, idempotent=True)
    return Component(key="parcels", display=Display(label="Parcels"), actions={"track": track_action, "list": LIST})


async def send(connection: dict[str, Any]) -> str:
    """An asynchronous caller."""
    async with Host.discover(transport=httpx.MockTransport(lambda _request: httpx.Response(201))) as host:
        try:
            result: dict[str, Any] = await host.invoke_action("twilio", "sendSMS", {"twilioConnection": connection})
        except InputError as error:
            first: Problem = error.problems[0]
            return f"{first.path}: {first.message}"
        except OutcomeUnknownError as error:
            may: bool = error.may_have_happened
            return str(may)
        async for found in host.list_pages("twilio", "listMessages", {"twilioConnection": connection}):
            items: list[Any] = found.items
            print(len(items), found.next)
        return str(result["data"]["sid"])


def check(body: bytes, headers: Mapping[str, str], token: str) -> bool:
    """A server that verifies."""
    try:
        verify("https://example.com/sms", headers, body, auth_tokens=[token])
    except WebhookRefusedError as error:
        status: int = error.status
        return status == 0
    return True


def script(path: str) -> None:
    """A synchronous caller."""
    version: str = __version__
    explanation = explain(30007)
    meaning: str = explanation.meaning if explanation is not None else version
    with BlockingHost.discover() as host:
        data: dict[str, Any] = host.invoke_action("twilio", "estimateMessage", {"message": meaning})
        connection: dict[str, Any] = connection_from_file(path)
        for found in host.list_pages("twilio", "listMessages", {"twilioConnection": connection}):
            print(found.items, data)


async def run(path: str) -> Outcome:
    """A caller of flows."""
    async with Host.discover() as host:
        runner = FlowRunner(integration=load_integration(path), host=host)
        return await runner.run()


def test_with_the_harness(twilio_harness: Harness) -> None:
    """Fixtures and harnesses."""
    emulator: Emulator = twilio_harness.emulator
    with BlockingHarness(emulator=emulator) as harness:
        payload: dict[str, Any] = signed_payload({"Body": "Hi"})
        sid: str = harness.action("sendSMS", {"to": "+15558675310"})["data"]["sid"]
        print(harness.trigger("webhook", payload), sid)
