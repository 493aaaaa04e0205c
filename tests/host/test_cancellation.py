"""A task that is cancelled in the middle of a send."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from twilio_component.host import Host, IntegrationError
from twilio_component.testing import emulator_connection
from twilio_component.twilio.errors import OutcomeUnknownError

INPUTS = {"twilioConnection": emulator_connection(), "to": "+15558675310", "from": "+15017122661", "message": "Hi"}


class Silence:
    """A Twilio that never responds, and notes what it was asked."""

    def __init__(self) -> None:
        self.methods: list[str] = []
        self.asked = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.methods.append(request.method)
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_worker_that_logs_errors_and_goes_on_ends_when_it_is_cancelled() -> None:
    twilio, errors = Silence(), list[IntegrationError]()
    async with Host.discover(transport=httpx.MockTransport(twilio)) as host:

        async def work() -> None:
            while True:
                try:
                    await host.invoke_action("twilio", "sendSMS", INPUTS)
                except IntegrationError as error:
                    errors.append(error)

        worker = asyncio.create_task(work())
        await twilio.asked.wait()
        worker.cancel()
        await asyncio.wait([worker])

    assert worker.cancelled()
    assert [type(error) for error in errors] == [OutcomeUnknownError]
    assert twilio.methods == ["POST"]


async def test_a_cancelled_task_may_still_look() -> None:
    async with Host.discover(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"messages": []}))
    ) as host:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(0)
        try:
            listed = await host.invoke_action("twilio", "listMessages", {"twilioConnection": emulator_connection()})
        finally:
            task.uncancel()
    assert listed == {"data": []}


async def test_after_a_time_limit_the_task_sends_again() -> None:
    twilio = Silence()
    async with Host.discover(transport=httpx.MockTransport(twilio)) as host:
        for _ in range(2):
            with pytest.raises(OutcomeUnknownError):
                async with asyncio.timeout(0.2):
                    await host.invoke_action("twilio", "sendSMS", INPUTS)
    assert twilio.methods == ["POST", "POST"]
