"""A second Twilio, which shares nothing with the emulator: it sends, lists, fails at random, and knows the truth."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from random import Random

_PATH = "/2010-04-01/Accounts/{account}/Messages"
# What becomes of a request to send, and how often. "drop" closes the connection, "late" responds after a while.
_FATES = {
    "accepted": 70,
    "accepted, late": 8,
    "accepted, drop": 4,
    "accepted, 500": 4,
    "accepted, 502 page": 2,
    "drop": 4,
    "503": 4,
    "429": 4,
}
_ERRORS = {"accepted, 500": (500, ""), "accepted, 502 page": (502, "<html>bad gateway</html>"), "503": (503, "<html>")}
_ERRORS |= {"429": (429, "")}
_MOST_LATE = 1.5
_PAGE = 50


@dataclass(frozen=True)
class Sent:
    """A message that exists: accepted at ``at`` and in the list from ``visible_at`` on, in seconds since 1970."""

    sid: str
    to: str
    sender: str
    body: str
    at: float
    visible_at: float

    def as_json(self, account: str) -> dict[str, Any]:
        """The message as Twilio's API shows it."""
        day = formatdate(self.at).replace("-0000", "+0000")
        return {
            "sid": self.sid,
            "account_sid": account,
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "status": "sent",
            "direction": "outbound-api",
            "date_created": day,
            "date_sent": day,
            "date_updated": day,
            "num_media": "0",
            "num_segments": "1",
            "messaging_service_sid": None,
            "error_code": None,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "api_version": "2010-04-01",
            "uri": f"/2010-04-01/Accounts/{account}/Messages/{self.sid}.json",
            "subresource_uris": {},
        }


class OtherTwilio:
    """Accepts messages until it is closed; ``sent`` has all of them. The list lags by up to ``lag`` seconds."""

    def __init__(self, random: Random, *, lag: float) -> None:
        self.sent: list[Sent] = []
        self._sent_to: dict[str, list[Sent]] = {}
        self.fates: Counter[str] = Counter()
        self.is_troubled = True
        self._random = random
        self._lag = lag
        self._runner: web.AppRunner | None = None

    async def open(self) -> str:
        """Listen on a free port of this machine; return the base URL."""
        application = web.Application()
        application.router.add_post(f"{_PATH}.json", self._create)
        application.router.add_get(f"{_PATH}.json", self._list)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        names, weights = [*_FATES], [*_FATES.values()]
        fate = self._random.choices(names, weights)[0] if self.is_troubled else "accepted"
        self.fates[fate] += 1
        message = self._accept(form) if fate.startswith("accepted") else None
        if fate.endswith("drop"):
            return self._drop(request)
        if fate == "accepted, late":
            await asyncio.sleep(self._random.uniform(0.1, _MOST_LATE))
        status, page = _ERRORS.get(fate, (201, ""))
        if page:
            return web.Response(text=page, status=status, content_type="text/html")
        if message is None or status != 201:
            return web.json_response({"code": 20000 + status, "message": "no", "status": status}, status=status)
        return web.json_response(message.as_json(request.match_info["account"]), status=status)

    def _accept(self, form: Any) -> Sent:
        now = time.time()
        message = Sent(
            sid=f"SM{self._random.getrandbits(128):032x}",
            to=str(form["To"]),
            sender=str(form["From"]),
            body=str(form["Body"]),
            at=now,
            visible_at=now + self._random.uniform(0.0, self._lag),
        )
        self.sent.append(message)
        self._sent_to.setdefault(message.to, []).append(message)
        return message

    def _drop(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _list(self, request: web.Request) -> web.Response:
        account, query, now = request.match_info["account"], request.query, time.time()
        page, size = int(query.get("Page", 0)), min(int(query.get("PageSize", _PAGE)), 1000)
        to, sender = query.get("To"), query.get("From")
        found = [
            one
            for one in reversed(self.sent if to is None else self._sent_to.get(to, []))
            if one.visible_at <= now and sender in (None, one.sender)
        ]
        shown = found[page * size : (page + 1) * size]
        more = len(found) > (page + 1) * size
        following = {**query, "Page": str(page + 1)}
        path = request.path + "?" + "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in following.items())
        return web.json_response(
            {"messages": [one.as_json(account) for one in shown], "next_page_uri": path if more else None}
        )
