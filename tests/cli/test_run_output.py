"""What somebody who follows a run sees."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from twilio_component.cli.run_output import progress
from twilio_component.cli.run_words import loop_summary

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
    return {
        "id": "r",
        "state": state,
        "finished": None,
        "error": None,
        "waits": [],
        "steps": steps,
        "loops": loops,
        **more,
    }


def test_a_loop_is_summarized_in_one_line() -> None:
    assert loop_summary(LOOP) == (
        "everyone: 1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2, 9.8/s, ETA 12:30:05 UTC"
    )
    held = {"held": 11, "heldUntil": "2026-11-25T00:00:00.000Z", "heldBy": ["cap", "quiet-hours"]}
    assert loop_summary({**LOOP, **held, "expectedEnd": "2026-11-25T00:00:09.000Z"}).endswith(
        "unknown: 2, 11 held by a frequency cap and quiet hours until 2026-11-25 00:00:00 UTC, 9.8/s, "
        "ETA 2026-11-25 00:00:09 UTC"
    )
    assert "unknown: 2, 3 being looked for, 9.8/s" in loop_summary({**LOOP, "inDoubt": 3})
    assert loop_summary({**DONE, "isWhole": False}).startswith("everyone: 5,000 of 5,000+, 4,990 succeeded")


def test_a_person_at_a_terminal_sees_steps_that_have_ended_and_the_loop_that_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("rich", reason="the extra serve")
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "xterm")
    waits = [{"text": "waits for ***10's reply", "until": "2026-11-27T09:00:00.000Z"}]
    ended = {"code": "items-failed", "message": "8 failed", "byCode": {"21610": 8}}
    terminal = Terminal()
    with progress(terminal) as shown:
        shown.update(run("running", [STEP], [LOOP]))
        shown.update(run("running", [STEP, FAILED, {"step": "ask", "state": "planned"}], [DONE], waits=waits))
        shown.update(run("running", [STEP, FAILED, {"step": "ask", "state": "planned"}], [DONE], waits=waits))
        shown.end(run("partly-failed", [STEP, FAILED], [DONE], error=ended))
    lines = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line).strip() for line in terminal.getvalue().splitlines()]
    told = [line for line in lines if line and "━" not in line]
    assert told == [
        "✓  trigger",
        "✗  report  21211",
        "…  waits for ***10's reply until 2026-11-27 09:00:00 UTC",
        "everyone: 5,000 of 5,000, 4,990 succeeded, 21610: 8, unknown: 2",
        "partly-failed: 21610: 8: 8 failed",
    ]
    bars = " ".join(line for line in lines if "━" in line)
    assert "1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2" in bars


def test_a_script_gets_a_line_for_each_step_and_for_each_move_of_a_loop() -> None:
    stream = io.StringIO()
    with progress(stream) as shown:
        for _ in range(3):
            shown.update(run("running", [STEP], [LOOP]))
        shown.end(run("succeeded", [STEP], [DONE]))
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        STEP,
        LOOP,
        DONE,
        {"id": "r", "state": "succeeded", "finished": None, "error": None},
    ]
