"""Sends 100,000 messages, 100 in flight, and prints after each 10,000 what the process holds: `leaks.py URL`."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from loopback import ACCOUNT

from twilio_component.host import Host

TOTAL, STEP, IN_FLIGHT = 100_000, 10_000, 100


async def main(url: str) -> None:
    connection = {"key": "basic", "fields": {"username": ACCOUNT, "password": "token", "baseUrl": url}}
    inputs = {"twilioConnection": connection, "to": "+15558675310", "from": "+15017122661", "message": "Hi"}
    async with Host.discover() as host:
        for done in range(STEP, TOTAL + 1, STEP):
            calls = iter(range(STEP))
            await asyncio.gather(*(sender(host, inputs, calls) for _ in range(IN_FLIGHT)))
            print(f"{done:>7,}: {held()}")


async def sender(host: Host, inputs: dict[str, object], calls: Iterator[int]) -> None:
    for _ in calls:
        await host.invoke_action("twilio", "sendSMS", inputs)


def held() -> str:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len([*Path("/proc/self/fd").iterdir()])
    megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return f"{megabytes:.1f} MB resident, {len(gc.get_objects()):,} objects, {files} open files"


asyncio.run(main(sys.argv[1]))
