"""``quietHours`` and ``frequencyCaps`` in a flow: what is read, what is wrong, and what `flow run` says of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from twilio_component.flows import FlowRunner, check_file
from twilio_component.flows.parsing.reader import load_integration, read_definition
from twilio_component.host import Host

if TYPE_CHECKING:
    from pathlib import Path

FLOW = """\
name: Test
flows:
  - name: Main
    RULES
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Each
        action: loop.loopOverItems
        inputs: {items: {type: value, value: [1]}}
        steps:
          - {name: Log, action: log.writeLog, inputs: {message: {type: value, value: x}}, STEP}
"""


def text(rules: str = "description: x", step: str = "description: x") -> str:
    return FLOW.replace("RULES", rules).replace("STEP", step)


@pytest.mark.parametrize(
    ("rules", "step", "code", "line"),
    [
        ('quietHours: {from: "21:00"}', "", "invalid-send-rule", 4),
        ("frequencyCaps: {perDay: 0}", "", "invalid-send-rule", 4),
        ("", 'quietHours: {from: "21:00", to: "24:00"}', "invalid-send-rule", 11),
        (
            "",
            "quietHours: {days: [sunday], timeZone: {type: reference, value: nobody.results}}",
            "unknown-step-reference",
            11,
        ),
        (
            "quietHours: {days: [sunday], timeZone: {type: reference, value: each.currentItem.zone}}",
            "",
            "invalid-send-rule",
            4,
        ),
    ],
)
async def test_a_rule_that_cannot_be_followed_is_found_with_its_place(
    tmp_path: Path, rules: str, step: str, code: str, line: int
) -> None:
    definition = text(rules or "description: x", step or "description: x")
    file = tmp_path / "test.yaml"
    file.write_text(definition, encoding="utf-8")
    async with Host.discover() as host:
        found = [(one.code, one.line) for one in check_file(file, host.components)]
    assert (code, line) in found


def test_everything_that_is_wrong_with_a_rule_is_found_at_once() -> None:
    rules = (
        'quietHours: {from: "25:00", to: 8, untl: "9", days: [caturday, sunday], timeZone: Europe/Berln, '
        "exceptReplies: -1}\n    frequencyCaps: {perHour: 0, perDay: x, exceded: drop, exceeded: perhaps}"
    )
    order = "order: {by: thread, after: dinner, atMost: 0, atLeast: 1}"
    found = [one.path.removeprefix("$.flows[0].") for one in read_definition("x", text=text(rules, order)).findings]
    assert found == [
        *(f"quietHours.{key}" for key in ("from", "to", "untl", "days[0]", "timeZone", "exceptReplies")),
        *(f"frequencyCaps.{key}" for key in ("perHour", "perDay", "exceded", "exceeded")),
        *(f"steps[1].steps[0].order.{key}" for key in ("by", "after", "atMost", "atLeast")),
    ]


def test_the_zone_of_a_step_may_come_from_the_item_of_its_loop() -> None:
    step = "quietHours: {days: [sunday], timeZone: {type: reference, value: each.currentItem.zone}}"
    assert read_definition("test.yaml", text=text(step=step)).findings == []


async def test_a_run_without_a_database_says_that_it_sends_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with Host.discover() as host:
            integration = load_integration("test.yaml", text=text("quietHours: {days: [sunday]}"))
            outcome = await FlowRunner(integration=integration, host=host).run()
    assert outcome.succeeded
    assert "only serve and worker apply quietHours" in caplog.text
