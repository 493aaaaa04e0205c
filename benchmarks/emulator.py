"""How many messages the emulator takes a second, and how long a page of a long list takes.

Run with ``python benchmarks/emulator.py``; it starts its own server and prints two lines.
"""

from __future__ import annotations

import asyncio
import base64
import statistics
import sys
import time

import aiohttp

ACCOUNT_SID = "AC" + "1" * 32
PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
FORM = {"To": "+15558675310", "From": "+15017122661", "Body": "Hello"}
HEADERS = {"Authorization": "Basic " + base64.b64encode(f"{ACCOUNT_SID}:token".encode()).decode()}

MESSAGES = 20_000
IN_FLIGHT = 20


async def main() -> None:
    program = "from twilio_component.cli.commands.emulator import serve_emulator; serve_emulator(port=0)"
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=asyncio.subprocess.PIPE)
    assert server.stderr is not None
    url = (await server.stderr.readline()).decode().split()[3]
    try:
        async with aiohttp.ClientSession(url, headers=HEADERS) as session:
            print(f"sends: {await sends_per_second(session):,.0f} a second, {IN_FLIGHT} in flight")
            first, last = await page_milliseconds(session)
            print(f"pages of 50 of {MESSAGES:,} messages: first {first:.1f} ms, last {last:.1f} ms (medians of 20)")
    finally:
        server.terminate()
        await server.wait()


async def sends_per_second(session: aiohttp.ClientSession) -> float:
    waiting = iter(range(MESSAGES))

    async def sender() -> None:
        for _ in waiting:
            async with session.post(PATH, data=FORM) as answer:
                await answer.read()
                answer.raise_for_status()

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))
    return MESSAGES / (time.perf_counter() - began)


async def page_milliseconds(session: aiohttp.ClientSession) -> tuple[float, float]:
    times: list[float] = []
    uri: str | None = PATH
    while uri:
        began = time.perf_counter()
        async with session.get(uri) as answer:
            page = await answer.json()
        times.append(1000 * (time.perf_counter() - began))
        uri = page["next_page_uri"]
    return statistics.median(times[:20]), statistics.median(times[-20:])


asyncio.run(main())
