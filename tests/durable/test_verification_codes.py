"""A one-time code goes through a served run and stays neither in its store nor in any log."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from support.engine import TO, serving

from twilio_component.durable.store.new_runs import NewRun
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from support.engine import Served

FLOWS = """\
  - name: Start
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Code
        action: twilio.startVerification
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          serviceSid: {type: value, value: SERVICE}
          to: {type: reference, value: trigger.results.body.data.to}
  - name: Check
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Checked
        action: twilio.checkVerification
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          serviceSid: {type: value, value: SERVICE}
          to: {type: reference, value: trigger.results.body.data.to}
          code: {type: reference, value: trigger.results.body.data.code}
"""


async def run_with(served: Served, run: str, flow: str, data: dict[str, Any]) -> None:
    digest = await served.engine.runs.define("test.yaml", served.text)
    found = next(one for one in served.definition.integration.flows if one.name == flow)
    given = {"body": {"data": data, "contentType": "application/json"}}
    payload = served.deployment.payload(given, served.definition, found, run, "2026-01-01T00:00:00.000Z")
    new = NewRun(id=run, definition=digest, integration="Test", flow=flow, payload=payload)
    await served.engine.begin(new)
    ended = await served.engine.wait_for_outcome(run, 20)
    assert ended is not None
    assert ended["state"] == "succeeded", ended


async def test_a_code_is_neither_stored_nor_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    emulator = Emulator()
    service = emulator.add_verify_service("Owl Bank").sid
    async with serving(tmp_path, FLOWS.replace("SERVICE", service), emulator=emulator) as served:
        await run_with(served, "start", "Start", {"to": TO})
        code = emulator.verifications[-1].code
        wrong = code[::-1] if code != code[::-1] else f"{(int(code) + 1) % 10**6:06}"
        await run_with(served, "wrong", "Check", {"to": TO, "code": wrong})
        await run_with(served, "right", "Check", {"to": TO, "code": code})
        emulator.assert_verification(to=TO, status="approved", times=1)
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        dump = "\n".join(connection.iterdump())
    assert "checked" in dump
    for secret in (code, wrong):
        assert secret not in dump
        assert secret not in caplog.text
