"""The web server and the signals that end it: none gets lost, whenever it comes."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest
import uvicorn

from twilio_component.serving.ports import listen
from twilio_component.serving.web_server import serve_until_stopped


async def respond(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("turns", range(4))
async def test_a_signal_that_comes_while_the_server_starts_ends_it(number: signal.Signals, turns: int) -> None:
    loop = asyncio.get_running_loop()
    before = signal.getsignal(number)

    def raise_after(left: int) -> None:  # so many turns of the event loop
        if left:
            loop.call_soon(raise_after, left - 1)
        else:
            signal.raise_signal(number)

    with listen("127.0.0.1", 0) as listening:
        loop.call_soon(raise_after, turns)
        async with asyncio.timeout(20):
            await serve_until_stopped(uvicorn.Config(respond, lifespan="off", log_level="error"), listening)
    assert signal.getsignal(number) == before
