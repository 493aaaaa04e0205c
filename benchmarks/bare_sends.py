"""Sends with the official SDK's asynchronous client, which promises nothing.

`bare_sends.py SENDS URL` prints how many a second.

What is measured is what a list does with a hundred in flight; see `lists.py`.
"""

from __future__ import annotations

import asyncio
import sys

from run import rate
from sdk import SMS, asynchronous

IN_FLIGHT = 100
_WARMING = 500


async def main(sends: int, url: str) -> None:
    client, http = asynchronous(url)
    await rate(lambda: client.messages.create_async(**SMS), _WARMING, IN_FLIGHT)
    print(f"{await rate(lambda: client.messages.create_async(**SMS), sends, IN_FLIGHT):.0f}")
    await http.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
