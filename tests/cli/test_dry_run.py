"""``flow run --dry-run``: a plan for a list, and nothing is sent."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.engine import HEAD
from support.long_lists import flow, people

from twilio_component.cli.main import main
from twilio_component.durable.sending.opt_outs import OPERATOR, OptOutRegister
from twilio_component.durable.store.database import Database

TOKYO, BERLIN, NEW_YORK = "+819012345678", "+4915112345678", "+12125551234"
CONNECTION = json.dumps({"key": "basic", "fields": {"username": "AC" + "1" * 32, "password": "x" * 32}})
ALWAYS = '    quietHours: {from: "00:00", to: "23:59", timeZone: UTC}\n'


@pytest.fixture
def dry_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a flow dry; the exit code, the lines of the plan, and what was said about it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOW_TWILIO", CONNECTION)

    def run(text: str, *words: str) -> tuple[int, list[dict[str, Any]], str]:
        (tmp_path / "flow.yaml").write_text(HEAD + text, encoding="utf-8")
        code = main(["flow", "run", "flow.yaml", "--dry-run", *words])
        captured = capsys.readouterr()
        return code, [json.loads(line) for line in captured.out.splitlines()], captured.err

    return run


def test_a_plan_names_who_would_get_what_and_who_would_not(dry_run: Any, tmp_path: Path) -> None:
    listed = [NEW_YORK, "+1 (212) 555-1234", TOKYO, BERLIN, "12"]
    people(tmp_path, 5, dict(enumerate(listed)))
    url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
    database = Database(url)
    database.create()
    asyncio.run(OptOutRegister(database).add([("*", BERLIN)], OPERATOR))
    database.close()
    code, plan, said = dry_run(flow(concurrency=1), "--database", url)
    assert code == 5
    assert "the flow would partly fail at everyone: 2 of 5 iterations failed (opted-out: 1, input-invalid: 1)" in said
    assert [(row["plan"], row.get("to"), row.get("duplicate")) for row in plan] == [
        ("send", NEW_YORK, False),
        ("send", NEW_YORK, True),
        ("send", TOKYO, False),
        ("opted-out", BERLIN, False),
        ("invalid", None, None),
    ]
    assert {row["segments"] for row in plan if row["plan"] == "send"} == {1}
    assert plan[0]["from"] == "+15017122661"
    assert "3 would be sent at once; 1 would fail, since the recipient has opted out" in said
    assert "1 are to a recipient whom the step has reached before; 3 segments" in said


@pytest.mark.parametrize("concurrency", [1, None])
def test_a_plan_ends_as_the_run_would_and_has_a_line_for_a_message_without_a_value(
    concurrency: int | None, dry_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [{"phone": NEW_YORK}, {}, {"phone": TOKYO}]
    loop = {"name": "Everyone", "action": "loop.loopOverItems", "inputs": {"items": items}}
    send = {"twilioConnection": "Twilio", "to": "{{$everyone.currentItem.phone}}", "from": "+15017122661"}
    steps = [{"name": "Send", "action": "twilio.sendSMS", "inputs": {**send, "message": "Hi"}}]
    step = json.dumps({**loop, **({"concurrency": concurrency} if concurrency else {}), "steps": steps})
    trigger = "{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}"
    code, plan, said = dry_run(f"  - name: Main\n    steps:\n      - {trigger}\n      - {step}\n", "--emulator")
    planned = [(row["step"], row["plan"]) for row in plan]
    assert planned[:2] == [("everyone[0].send", "send"), ("everyone[1].send", "invalid")]
    assert "everyone.currentItem.phone has no value" in plan[1]["reason"]
    assert len(planned) == (3 if concurrency else 2)  # one after the other, the first failure is the end
    assert ("would partly fail" in said) is bool(concurrency)
    assert main(["flow", "run", "flow.yaml", "--emulator"]) == code == (5 if concurrency else 1)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    failed = [event["id"] for event in events if event["event"] == "step" and "error" in event]
    assert failed == ["everyone[1].send"]


@pytest.mark.parametrize(
    ("action", "inputs"),
    [
        ("twilio.deleteMessage", {"sid": "SM" + "0" * 32}),
        ("twilio.redactMessage", {"sid": "SM" + "0" * 32}),
        ("twilio.cancelMessage", {"sid": "SM" + "0" * 32}),
        ("twilio.sendFeedback", {"sid": "SM" + "0" * 32}),
        ("twilio.rawRequest", {"method": "DELETE", "url": "/Accounts/AC0/Messages/SM0.json"}),
        ("http.httpDelete", {"url": "http://localhost:1/"}),
        ("http.httpPut", {"url": "http://localhost:1/", "data": "x"}),
    ],
)
def test_what_deletes_or_changes_something_is_planned_and_not_done_though_a_repetition_did_no_harm(
    action: str, inputs: dict[str, Any], dry_run: Any
) -> None:
    connection = {"twilioConnection": {"type": "configVar", "value": "Twilio"}} if "twilio" in action else {}
    step = {"name": "Act", "action": action, "inputs": {**connection, **inputs}}
    trigger = "{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}"
    text = f"  - name: Main\n    steps:\n      - {trigger}\n      - {json.dumps(step)}\n"
    code, plan, said = dry_run(text, "--emulator")
    assert (code, plan) == (0, [{"step": "act", "plan": "other", "action": action}])
    assert "1 other calls would be made" in said


def test_a_plan_knows_quiet_hours_and_caps(dry_run: Any, tmp_path: Path) -> None:
    people(tmp_path, 2, {0: NEW_YORK, 1: NEW_YORK})
    _, plan, _ = dry_run(flow(concurrency=1).replace("  - name: Main\n", "  - name: Main\n" + ALWAYS, 1))
    assert {(row["plan"], row["reason"], row["at"][11:19]) for row in plan} == {("hold", "quiet hours", "23:59:00")}
    assert plan[0]["zones"] == ["UTC"]
    caps = "    frequencyCaps: {perHour: 1}\n"
    _, plan, _ = dry_run(flow(concurrency=1).replace("  - name: Main\n", "  - name: Main\n" + caps, 1))
    assert [row["plan"] for row in plan] == ["send", "hold"]
    caps = "    frequencyCaps: {perHour: 1, exceeded: drop}\n"
    _, plan, said = dry_run(flow(concurrency=1).replace("  - name: Main\n", "  - name: Main\n" + caps, 1))
    assert [row["plan"] for row in plan] == ["send", "drop"]
    assert "1 would be dropped" in said


def test_a_database_is_only_for_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for database in ("x.sqlite", ""):
        assert main(["flow", "run", str(tmp_path / "x.yaml"), "--database", database]) == 2
        assert "--database: is only for --dry-run" in capsys.readouterr().err


def test_a_reader_of_the_plan_may_go_before_its_end(dry_run: Any, tmp_path: Path) -> None:
    people(tmp_path, 3, dict(enumerate([NEW_YORK, TOKYO, BERLIN])))
    dry_run(flow(concurrency=2))
    program = [sys.executable, "-m", "twilio_component", "flow", "run", "flow.yaml", "--dry-run"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(program, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_emulators_connection_stands_in_for_ones_own(
    dry_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(tmp_path, 1, {0: NEW_YORK})
    monkeypatch.delenv("FLOW_TWILIO")
    _, (without,), _ = dry_run(flow(concurrency=1))
    assert without["plan"] == "invalid"
    assert "$.inputs.twilioConnection.fields.username: is required" in without["reason"]
    _, (row,), _ = dry_run(flow(concurrency=1), "--emulator")
    assert (row["plan"], row["to"]) == ("send", NEW_YORK)
    code, plan, said = dry_run(flow(concurrency=1), "--live")
    assert (code, plan) == (2, [])
    assert "--live: really sends, and --dry-run sends nothing" in said


def test_a_connection_that_cannot_work_is_refused_before_there_is_a_plan(
    dry_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(tmp_path, 2)
    monkeypatch.setenv("FLOW_TWILIO", CONNECTION.replace("AC111", "AC"))
    code, plan, said = dry_run(flow(concurrency=1))
    assert (code, plan) == (2, [])
    assert "flow.yaml cannot run with this configuration" in said
    assert "must be an Account SID" in said


def test_a_sample_has_some_of_the_messages_in_their_order_and_the_totals_are_of_all(
    dry_run: Any, tmp_path: Path
) -> None:
    people(tmp_path, 30, {})
    steps = [f"{row['step']}" for row in dry_run(flow(concurrency=1))[1]]
    assert len(steps) == 30
    samples = [[row["step"] for row in dry_run(flow(concurrency=1), "--sample", "10")[1]] for _ in range(3)]
    for sample in samples:
        assert len(sample) == 10
        assert sample == [step for step in steps if step in sample]
    assert samples[0] != samples[1] or samples[1] != samples[2], "chosen at random"
    code, plan, said = dry_run(flow(concurrency=1), "--sample", "40")
    assert (code, [row["step"] for row in plan]) == (0, steps)
    assert "30 would be sent at once" in said
    for number in ("-1", "0"):
        with pytest.raises(SystemExit) as exited:
            dry_run(flow(concurrency=1), "--sample", number)
        assert exited.value.code == 2
