"""Lists 100,000 messages in a process of its own, as a whole or as a stream.

`listing.py ours|sdk list|stream URL` prints seconds and megabytes of growth. A listing of one message comes first, so
that neither pays for its imports or its first connection.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any


async def ours(kind: str, url: str) -> None:
    from loopback import ACCOUNT

    from twilio_component.host import Host

    connection = {"key": "basic", "fields": {"username": ACCOUNT, "password": "token", "baseUrl": url}}
    asked = {"twilioConnection": connection, "pageSize": 1000}
    async with Host.discover() as host:

        async def listed(inputs: dict[str, Any]) -> int:
            if kind == "list":
                return len((await host.invoke_action("twilio", "listMessages", inputs))["data"])
            return sum([len(page.items) async for page in host.list_pages("twilio", "listMessages", inputs)])

        await listed({**asked, "limit": 1})
        with Measured():
            assert await listed(asked) == 100_000


def sdk(kind: str, url: str) -> None:
    from sdk import synchronous

    messages = synchronous(url).messages
    listing = {
        "list": lambda **options: len(messages.list(**options)),
        "stream": lambda **options: sum(1 for _ in messages.stream(**options)),
    }[kind]
    listing(limit=1)
    with Measured():
        assert listing(page_size=1000) == 100_000


class Measured:
    """Prints what was done inside: seconds, and megabytes of growth of the process."""

    def __enter__(self) -> None:
        # The peak of this part alone; `ru_maxrss` would begin with that of the process that started this one.
        Path("/proc/self/clear_refs").write_text("5")
        self.before = kilobytes("VmRSS")
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self.start
        print(seconds, max(1, kilobytes("VmHWM") - self.before) / 1024)


def kilobytes(name: str) -> int:
    """What the system says of this process's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    _, who, kind, url = sys.argv
    if who == "ours":
        asyncio.run(ours(kind, url))
    else:
        sdk(kind, url)
