"""Lists 100,000 messages in a process of its own: `listing.py ours|sdk URL` prints seconds and megabytes of growth."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Callable
from typing import Any


def ours(url: str) -> Callable[[], Any]:
    from loopback import ACCOUNT

    from twilio_component.host import Host

    connection = {"key": "basic", "fields": {"username": ACCOUNT, "password": "token", "baseUrl": url}}

    async def listed() -> Any:
        async with Host.discover() as host:
            result = await host.invoke_action(
                "twilio", "listMessages", {"twilioConnection": connection, "pageSize": 1000}
            )
        return result["data"]

    return lambda: asyncio.run(listed())


def sdk(url: str) -> Callable[[], Any]:
    from sdk import synchronous

    client = synchronous(url)
    return lambda: client.messages.list(page_size=1000)


if __name__ == "__main__":
    run = {"ours": ours, "sdk": sdk}[sys.argv[1]](sys.argv[2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found = run()
    seconds = time.perf_counter() - start
    assert len(found) == 100_000, len(found)
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
