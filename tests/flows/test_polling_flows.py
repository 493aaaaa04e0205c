"""Flows whose trigger polls."""

from __future__ import annotations

from typing import Any

import pytest
from support.flow_runs import Recorder, run_text

from twilio_component.testing import BlockingHarness, emulator_connection

FLOW = """
name: Test
flows:
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, schedule: "*/5 * * * *", action: other.poll}
      - {name: Tell, action: other.tell, inputs: {data: "{{$trigger.results.body.data}}"}}
"""
WATCH = """
name: Watch
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: twilio.basic}
flows:
  - name: Changes
    steps:
      - name: Trigger
        isTrigger: true
        schedule: "*/5 * * * *"
        action: twilio.pollChangesTrigger
        inputs: {connection: Twilio}
      - {name: Tell, action: other.tell, inputs: {created: "{{$trigger.results.body.data.created}}"}}
"""


@pytest.mark.parametrize(("nothing_new", "told"), [(True, 0), (False, 1)])
def test_steps_run_only_when_there_is_something_new(nothing_new: bool, told: int) -> None:  # noqa: FBT001 - a table
    tell = Recorder()
    polled: dict[str, Any] = {"payload": {"body": {"data": 1}}, "polledNoChanges": nothing_new}
    outcome = run_text(FLOW, mocks={"other.poll": polled, "other.tell": tell})
    assert outcome.succeeded
    assert len(tell.calls) == told


def test_a_flow_hears_of_each_new_message_once(tmp_path: Any, twilio_harness_blocking: BlockingHarness) -> None:
    file = tmp_path / "watch.yaml"
    file.write_text(WATCH)
    tell = Recorder()
    run = {"config": {"Twilio": emulator_connection()}, "mocks": {"other.tell": tell}}

    twilio_harness_blocking.flow(file, **run)
    twilio_harness_blocking.action("sendSMS", {"to": "+15558675310", "from": "MyBrand", "message": "Hi"})
    twilio_harness_blocking.flow(file, **run)
    twilio_harness_blocking.flow(file, **run)

    assert [[one["body"] for one in call["created"]] for call in tell.calls] == [["Hi"]]
