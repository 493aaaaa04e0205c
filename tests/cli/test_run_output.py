"""What somebody who follows a run sees."""

from __future__ import annotations

import io
import json
from typing import Any

from twilio_component.cli.run_output import loop_summary, progress

LOOP: dict[str, Any] = {
    "loop": "everyone",
    "taken": 5000,
    "isWhole": True,
    "succeeded": 1190,
    "failed": {"21610": 8},
    "unknown": 2,
    "left": 3800,
    "perSecond": 9.8,
    "expectedEnd": "2026-11-24T12:30:05.000Z",
}
DONE = {**LOOP, "succeeded": 4990, "left": 0, "perSecond": None, "expectedEnd": None}
STEP = {
    "step": "trigger",
    "state": "succeeded",
    "started": None,
    "finished": "2026-11-24T12:00:00.000Z",
    "inputs": None,
}
FAILED = {**STEP, "step": "report", "state": "failed", "error": {"code": "21211", "message": "no number"}}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(state: str, steps: list[dict[str, Any]], loops: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": "r", "state": state, "finished": None, "error": None, "steps": steps, "loops": loops, **more}


def test_a_loop_is_told_loop_summary() -> None:
    assert loop_summary(LOOP) == (
        "everyone: 1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2, 9.8/s, until 12:30:05 UTC"
    )
    assert loop_summary({**DONE, "isWhole": False}).startswith("everyone: 5,000 of 5,000+, 4,990 succeeded")


def test_a_person_at_a_terminal_sees_steps_that_have_ended_and_the_loop_that_is_under_way() -> None:
    terminal = Terminal()
    shown = progress(terminal)
    shown.update(run("running", [STEP], [LOOP]))
    shown.update(run("paused", [STEP, {"step": "report", "state": "entered"}], [DONE]))
    shown.end(run("failed", [STEP, FAILED], [DONE], error={"code": "21211", "message": "no number"}))
    text = terminal.getvalue()
    lines = text.replace("\r\x1b[K", "\n").split("\n")
    assert [line for line in lines if line] == [
        "✓  trigger",
        "…  everyone: 1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2, 9.8/s, unti",
        "…  paused",
        "✗  report  21211",
        "…  failed",
        "everyone: 5,000 of 5,000, 4,990 succeeded, 21610: 8, unknown: 2",
        "failed: no number",
    ]


def test_a_script_gets_a_line_for_each_step_and_for_each_move_of_a_loop() -> None:
    stream = io.StringIO()
    shown = progress(stream)
    for _ in range(3):
        shown.update(run("running", [STEP], [LOOP]))
    shown.end(run("succeeded", [STEP], [DONE]))
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        STEP,
        LOOP,
        DONE,
        {"id": "r", "state": "succeeded", "finished": None, "error": None},
    ]
