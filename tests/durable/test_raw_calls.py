"""Raw requests in served flows: they repeat themselves, and their runs end as truthfully as those of messages."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from support.engine import serving

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.settings import Settings

RAW = """\
  - name: NAME
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Raw
        action: twilio.rawRequest
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          method: {type: value, value: NAME}
          url: {type: value, value: /Accounts/AC0/Calls.json}
          maxRetries: {type: value, value: 3}
          retryDelayMS: {type: value, value: 500}
"""


async def test_a_raw_request_waits_while_twilio_is_away_and_one_that_reads_too_long_has_failed(tmp_path: Path) -> None:
    requests: list[str] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request.method)
        if request.method == "GET":
            await asyncio.sleep(5)
        if requests.count("POST") < 2:
            raise httpx.ConnectError("refused")
        return httpx.Response(201, json={"sid": "CA0"})

    flows = RAW.replace("NAME", "POST") + RAW.replace("NAME", "GET")
    async with serving(
        tmp_path, flows, transport=httpx.MockTransport(handle), settings=Settings(timeout=0.8, lag_bound=0.1)
    ) as served:
        ended = await served.run("called", "POST")
        assert (ended["state"], requests) == ("succeeded", ["POST"] * 2)
        read = await served.run("read", "GET")
        assert (read["state"], read["error"]["code"]) == ("failed", "twilio-no-response")


async def test_a_request_whose_response_cannot_be_kept_is_not_made_again_by_a_retry(tmp_path: Path) -> None:
    requests: list[str] = []
    deep = "[" * 300 + "]" * 300

    async def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request.method)
        return httpx.Response(201, content=deep, headers={"content-type": "application/json"})

    flows = RAW.replace("NAME", "POST") + "          responseType: {type: value, value: json}\n"
    async with serving(tmp_path, flows, transport=httpx.MockTransport(handle)) as served:
        ended = await served.run("called", "POST")
        assert (ended["state"], requests) == ("unknown", ["POST"])
        with pytest.raises(RunStateError, match="find out whether it happened"):
            await Operations(served.engine.database).retry("called")
