"""What a serving process logs of a whole day: a line for each run and request, and nothing that anybody wrote."""

from __future__ import annotations

import json
from functools import partial
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from support.serve_processes import AUTH_TOKEN, FLOW, SENDER, Deployment, inbound, post
from support.waiting import until

from twilio_component.cli.main import main

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator

WAITS = FLOW.replace(
    "      - name: Send\n",
    "      - {name: Sleep, action: sleep.sleep, inputs: {ms: {type: value, value: 2000}}}\n      - name: Send\n",
)


def records(deployment: Deployment) -> list[dict[str, Any]]:
    return [json.loads(line) for line in deployment.log().splitlines() if line.startswith("{")]


def of_run(deployment: Deployment, run: str) -> list[tuple[str, str, str, str]]:
    names = ("logger", "state", "step", "reason")
    found = [one for one in records(deployment) if one.get("run") == run]
    lines = [
        (one["logger"].removeprefix("twilio_component."), *(str(one.get(name, "")) for name in names[1:]))
        for one in found
    ]
    return [line for line, _ in groupby(lines)]  # a slow machine may take a run up twice


def has_begun(deployment: Deployment, run: str) -> bool:
    return ("runs", "running", "", "") in of_run(deployment, run)


def test_each_run_and_each_request_has_its_line_and_nothing_that_people_wrote(
    emulator: Emulator, twilio: str, tmp_path: Path
) -> None:
    deployment = Deployment(tmp_path, twilio, flow=WAITS, options=["--log-format", "json"])
    with deployment.serving():
        for tries in count(1):  # a busy machine may come too late, when the run has ended
            paused = post(deployment.webhook(), inbound(tries + 2, "the words")).headers["Execution-Id"]
            # One that is paused before a process takes it up never begins, and nothing stops.
            until(partial(has_begun, deployment, paused), "it has begun")
            if main(["runs", "pause", paused, "--database", deployment.database]) == 0:
                break
        until(lambda: ("runs", "stopped", "", "") in of_run(deployment, paused), "it has stopped")
        emulator.faults.api_error(21211, operation="messages.create")
        failed = post(deployment.webhook(), inbound(1, "the words")).headers["Execution-Id"]
        until(lambda: len(of_run(deployment, failed)) == 3, "it has failed")
        main(["runs", "resume", paused, "--database", deployment.database])
        until(lambda: of_run(deployment, paused)[-1][1] == "succeeded", "it has succeeded")
        post(deployment.webhook(), inbound(2), token="another")
        httpx.get(f"{deployment.url()}/nowhere/{SENDER}?secret={AUTH_TOKEN}")
        httpx.request("TRACE", deployment.webhook())
        httpx.get(f"{deployment.url()}/healthz")
    assert of_run(deployment, paused) == [
        ("access", "", "", ""),
        ("runs", "running", "", ""),
        ("runs", "stopped", "", ""),
        ("runs", "running", "", ""),
        ("runs", "succeeded", "", ""),
    ]
    assert of_run(deployment, failed)[-1] == ("runs", "failed", "send", "21211")
    requests = [
        (one["method"], one.get("flow"), one["status"])
        for one in records(deployment)
        if one["logger"] == "twilio_component.access"
    ]
    assert requests == [
        *[("POST", "Reply", 204)] * tries,
        ("POST", "Reply", 204),
        ("POST", "Reply", 403),
        ("GET", None, 404),
        ("another method", None, 405),
    ]
    (line,) = [one for one in records(deployment) if one.get("state") == "failed"]
    assert (line["level"], line["code"]) == ("warning", "twilio-api-error")
    database = deployment.database.removeprefix("sqlite:///")
    assert f"`twilio-component runs show {failed} --database {database}` says more" in line["message"]
    assert not [one for one in records(deployment) if "traceback" in one]
    said = deployment.log()
    for secret in ("5558670001", "5558670002", SENDER[1:], "the words", AUTH_TOKEN, "You wrote"):
        assert secret not in said


def test_lines_are_text_unless_asked_otherwise(emulator: Emulator, twilio: str, tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, twilio, options=["--log-level", "warning"])
    with deployment.serving():
        emulator.faults.api_error(21211, operation="messages.create")
        run = post(deployment.webhook(), inbound(1)).headers["Execution-Id"]
        until(lambda: f"WARNING run {run} of Reply failed at send" in deployment.log(), "the line is there")
    assert "INFO" not in deployment.log()
