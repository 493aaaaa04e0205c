"""Invocations leave nothing behind: no objects, no sockets. `make bench` shows it for a hundred thousand."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest
from support.broken_server import http_response, serve_broken

from twilio_component.host import Host
from twilio_component.testing import emulator_connection

ACCEPTED = http_response("201 Created", json.dumps({"sid": "SM" + "0" * 32, "status": "queued"}).encode())


def held() -> tuple[int, int]:
    """How many objects and how many open files there are."""
    gc.collect()
    return len(gc.get_objects()), len([*Path("/proc/self/fd").iterdir()])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not show what is open")
async def test_a_thousand_invocations_leave_neither_objects_nor_sockets() -> None:
    async def accept(writer: Any, _n: int) -> bool:
        writer.write(ACCEPTED)
        return True

    async with serve_broken(accept) as server, Host.discover() as host:
        connection = emulator_connection()
        connection["fields"]["baseUrl"] = server.url
        sms = {"twilioConnection": connection, "to": "+15558675310", "from": "+15017122661", "message": "Hi"}

        async def sends(number: int) -> tuple[int, int]:
            for _ in range(number // 10):
                await asyncio.gather(*(host.invoke_action("twilio", "sendSMS", sms) for _ in range(10)))
            # The server's own memory of what it read is none of the host's.
            server.requests.clear()
            return held()

        before, after, connections = await sends(100), await sends(1000), server.connections
    assert after[0] - before[0] < 100
    assert (after[1] - before[1], connections) == (0, 10)
