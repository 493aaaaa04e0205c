"""A one-time code goes through a served run and stays neither in its store nor in any log."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from support.engine import TO, serving

from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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


async def test_a_code_is_neither_stored_nor_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    emulator = Emulator()
    service = emulator.add_verify_service("Owl Bank").sid
    async with serving(tmp_path, FLOWS.replace("SERVICE", service), emulator=emulator) as served:
        assert (await served.run("start", "Start", {"to": TO}))["state"] == "succeeded"
        code = emulator.verifications[-1].code
        wrong = code[::-1] if code != code[::-1] else f"{(int(code) + 1) % 10**6:06}"
        assert (await served.run("wrong", "Check", {"to": TO, "code": wrong}))["state"] == "succeeded"
        assert (await served.run("right", "Check", {"to": TO, "code": code}))["state"] == "succeeded"
        emulator.assert_verification(to=TO, status="approved", times=1)
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        dump = "\n".join(connection.iterdump())
    assert "checked" in dump
    for secret in (code, wrong):
        assert secret not in dump
        assert secret not in caplog.text
