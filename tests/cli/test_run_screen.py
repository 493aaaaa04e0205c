"""Runs on a terminal: what a person sees of them."""

from __future__ import annotations

import io
from typing import Any

import pytest

pytest.importorskip("rich", reason="the extra serve")

from twilio_component.cli.run_screen import run_view, runs_table, screen

ID = "started-4765d329255e405d8a58b23e2a636202"
TIME = "2026-11-26T03:01:11.190Z"


def run(state: str, **more: Any) -> dict[str, Any]:
    known = {"id": ID, "integration": "Clinic", "flow": "Reminders", "state": state, "created": TIME, "finished": None}
    return {**known, "error": None, "waits": [], "lateReplies": [], "loops": [], "steps": [], **more}


def shown(what: Any, width: int) -> list[str]:
    stream = io.StringIO()
    console = screen(stream)
    console.width = width
    console.print(what)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


RUNS = [
    run("stopped", error={"code": "list-stopped", "reason": "20003", "message": "stopped"}),
    run("partly-failed", id=f"{ID}~2", error={"code": "items-failed", "byCode": {"20003": 9, "21610": 2}}),
    run("failed", id=f"{ID}.3", error={"code": "deadline-exceeded", "message": "late"}, finished=TIME),
]


@pytest.mark.parametrize("width", [200, 130, 80])
def test_each_run_has_a_line_with_its_end_and_code_and_an_id_of_its_own(width: int) -> None:
    heading, *lines = shown(runs_table(RUNS, width), width)
    assert heading.split() == ["state", "code", "id", "flow", "took", "stored,", "UTC"]
    assert [line.split("  ")[0] for line in lines] == ["stopped", "partly-failed", "failed"]
    assert "20003: 9, 21610: 2" in lines[1]
    ids = [next(word for word in line.split() if word.startswith("started-")) for line in lines]
    assert len(set(ids)) == 3
    assert (ids[1][-2:], ids[2][-2:]) == ("~2", ".3")
    assert (ids[0] == ID) is (width > 80)


def test_a_run_says_why_what_it_waits_for_and_how_its_steps_ended() -> None:
    steps = [
        {"step": "trigger", "state": "succeeded", "started": TIME, "finished": TIME, "inputs": None},
        {
            "step": "send",
            "state": "failed",
            "started": TIME,
            "inputs": {"to": "***10", "message": "text of 5 characters"},
            "error": {"code": "twilio-api-error", "reason": "20003", "message": "Authenticate\x1b[2J [red]now"},
        },
        {"step": "again", "state": "planned", "hold": "quiet", "heldUntil": TIME, "reason": "quiet hours"},
    ]
    loops = [
        {"loop": "all", "taken": 5, "isWhole": True, "succeeded": 4, "failed": {"21211": 1}, "unknown": 0, "left": 0}
    ]
    waits = [{"text": "waits for ***10's reply", "until": TIME}]
    error = {"code": "twilio-api-error", "reason": "20003", "message": "Authenticate"}
    loops[0]["expectedEnd"] = None
    steps.append({"step": "all", "state": "succeeded", "started": TIME, "finished": TIME, "inputs": None})
    late = [{"step": "ask", "received": TIME, "reply": {"body": "on my \x1bway"}}]
    seen = run("failed", steps=steps, loops=loops, waits=waits, lateReplies=late, error=error)
    text = "\n".join(shown(run_view(seen, "sqlite:////my runs/x.sqlite"), 140))
    assert f"failed  Reminders  {ID}" in text
    assert "20003 Authenticate" in text
    assert f"next: `twilio-component runs retry {ID} --database '/my runs/x.sqlite'`" in text
    assert "… waits for ***10's reply until 2026-11-26 03:01:11 UTC" in text
    assert 'late reply to ask, 2026-11-26 03:01:11 UTC: "on my ·way"' in text
    assert "all: 5 of 5, 4 succeeded, 21211: 1\n  21211: The recipient is not a valid phone number." in text
    assert "\n!  all" in text
    assert "20003 Authenticate·[2J [red]now" in text
    assert '{"to": "***10", "message": "text of 5 characters"}' in text
    assert "planned until 2026-11-26 03:01:11 UTC: quiet hours" in text
