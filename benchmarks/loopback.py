"""A server on the loopback interface that answers at once with canned bytes: what is measured is the client.

`python benchmarks/loopback.py [seconds]` prints its port; with `seconds` it answers so much later. POST is answered
with a message (with `unique` instead of `seconds` each time with another SID), GET with a page of a list of 100,000
messages.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import selectors
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

ACCOUNT = "AC" + "0" * 32
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"
MESSAGE = {
    "account_sid": ACCOUNT,
    "api_version": "2010-04-01",
    "body": "Hi Ada, this is a reminder of your appointment tomorrow at nine.",
    "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
    "date_sent": "Thu, 24 Aug 2023 05:01:46 +0000",
    "date_updated": "Thu, 24 Aug 2023 05:01:47 +0000",
    "direction": "outbound-api",
    "error_code": None,
    "error_message": None,
    "from": "+15017122661",
    "messaging_service_sid": None,
    "num_media": "0",
    "num_segments": "1",
    "price": "-0.00790",
    "price_unit": "USD",
    "sid": "SM" + "0" * 32,
    "status": "delivered",
    "subresource_uris": {"media": f"{PATH}/SM{'0' * 32}/Media.json"},
    "to": "+15558675310",
    "uri": f"{PATH}/SM{'0' * 32}.json",
}
_REQUEST = re.compile(rb"GET \S*?[?&]PageSize=(\d+)(?:&Page=(\d+))?")


def _answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _message(number: int) -> dict[str, Any]:
    """One of a list: its own SID, text, recipient and times, two messages a second, the newest first."""
    sid = f"SM{number:032x}"
    dates = {name: _date(TOTAL - number // 2 + late) for late, name in enumerate(("created", "sent", "updated"))}
    return {
        **MESSAGE,
        **{f"date_{name}": value for name, value in dates.items()},
        "body": f"Hi Ada, this is a reminder of your appointment {number} tomorrow at nine.",
        "sid": sid,
        "subresource_uris": {"media": f"{PATH}/{sid}/Media.json"},
        "to": f"+1555{number:07d}",
        "uri": f"{PATH}/{sid}.json",
    }


def _date(second: int) -> str:
    return format_datetime(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second))


CREATED = _answer("201 Created", json.dumps(MESSAGE).encode())
TOTAL = 100_000
MODE = sys.argv[1] if __name__ == "__main__" and len(sys.argv) > 1 else ""
LATE = float(MODE) if MODE and MODE != "unique" else 0.0
_NUMBERS = itertools.count()


class Canned(asyncio.Protocol):
    """One connection; knows just enough HTTP to find the end of a request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = 0 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self.buffer) < end + 4 + length:
                return
            answer = _page(self.buffer[:end]) if head.startswith(b"get") else _created()
            if LATE:
                asyncio.get_running_loop().call_later(LATE, self.transport.write, answer)
            else:
                self.transport.write(answer)
            self.buffer = self.buffer[end + 4 + length :]


def _created() -> bytes:
    if MODE != "unique":
        return CREATED
    return CREATED.replace(b'"sid": "SM' + b"0" * 32, b'"sid": "SM%032x' % next(_NUMBERS))


def _page(head: bytes) -> bytes:
    found = _REQUEST.match(head)
    size, page = (int(found[1]), int(found[2] or 0)) if found else (50, 0)
    key = (size, page)
    if key not in _PAGES:
        more = (page + 1) * size < TOTAL
        following = f"{PATH}.json?PageSize={size}&Page={page + 1}&PageToken=PA" if more else None
        body = {
            "messages": [_message(page * size + number) for number in range(size)],
            "page": page,
            "page_size": size,
            "next_page_uri": following,
        }
        _PAGES[key] = _answer("200 OK", json.dumps(body).encode())
    return _PAGES[key]


_PAGES: dict[tuple[int, int], bytes] = {}


async def main() -> None:
    for page in range(0 if MODE else TOTAL // 1_000):  # made before anybody measures
        _page(f"GET /x?PageSize=1000&Page={page}".encode())
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    # Of the selectors only this one waits to the microsecond; epoll rounds up to the next millisecond.
    precise = (lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) if LATE else None
    with asyncio.Runner(loop_factory=precise) as runner:
        runner.run(main())
