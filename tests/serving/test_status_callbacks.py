"""Status callbacks that come at once, to a flow that must know which of them is late."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from support.engine import HEAD, serving

from twilio_component.durable.settings import Settings
from twilio_component.serving.endpoints import endpoints
from twilio_component.serving.webhook_handler import IncomingRequest, WebhookHandler
from twilio_component.testing import emulator_connection
from twilio_component.twilio.message_status import PROGRESS
from twilio_component.twilio.signatures.verification import sign

FOLLOW = """\
  - name: Follow
    steps:
      - name: Status
        isTrigger: true
        action: twilio.statusCallback
        inputs: {twilioConnection: {type: configVar, value: Twilio}}
"""
URL = "http://flows.test/test/follow"
STATUSES = ("queued", "sent", "delivered")


def callback(message: int, status: str) -> IncomingRequest:
    parameters = {"MessageSid": f"SM{message:032x}", "MessageStatus": status, "AccountSid": "AC" + "1" * 32}
    token = emulator_connection()["fields"]["password"]
    headers: dict[str, str | list[str]] = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": sign(token, URL, parameters.items()),
    }
    return IncomingRequest("POST", URL, headers, urlencode(parameters).encode())


def told(folder: Path) -> list[dict[str, Any]]:
    """What the trigger told, in the order in which its answers were stored."""
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        rows = connection.execute("SELECT value FROM flow_journal WHERE ordinal = 0 ORDER BY rowid").fetchall()
    return [json.loads(value)["envelope"]["payload"]["status"] for (value,) in rows]


async def test_whatever_comes_at_once_each_is_late_only_behind_a_later_one_of_its_message(tmp_path: Path) -> None:
    arrivals = [callback(message, status) for message in range(8) for status in STATUSES]
    random.Random(1).shuffle(arrivals)  # noqa: S311 - to be repeated
    async with serving(tmp_path, FOLLOW, settings=Settings(keep_payloads=True)) as served:
        await served.engine.runs.define("test.yaml", HEAD + FOLLOW)
        endpoint = endpoints(served.deployment, [served.definition])["/test/follow"]
        handlers = [WebhookHandler(served.deployment, served.engine) for _ in range(2)]  # as of two processes
        both = [handlers[number % 2].receive(endpoint, request) for number, request in enumerate(arrivals)]
        again = handlers[0].receive(endpoint, arrivals[0])
        replies = [*await asyncio.gather(*both), await again]
        assert {reply.status for reply in replies} == {200}
        assert sum(handler.repeated for handler in handlers) == 1
    furthest: dict[str, int] = {}
    for status in told(tmp_path):
        sid, progress = status["messageSid"], PROGRESS[status["status"]]
        assert status["stale"] == (progress < furthest.get(sid, -1))
        furthest[sid] = max(progress, furthest.get(sid, -1))
    assert len(furthest) == 8
    assert {status["stale"] for status in told(tmp_path)} == {True, False}
