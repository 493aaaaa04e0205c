"""``runs start`` starts a served flow without HTTP, from another process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.serve_processes import FLOW, Deployment
from support.waiting import until

from twilio_component.cli import exit_codes
from twilio_component.cli.main import main

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator

INTEGRATION = FLOW.partition("name: ")[2].partition("\n")[0].strip('"')
PAYLOAD = {"body": {"data": {"From": "+15558675310", "To": "+15017122661", "Body": "by hand"}}}
TWO = FLOW + FLOW.partition("flows:\n")[2].replace("name: Reply", "name: Other\n    queueConfig: {usesFifoQueue: true}")


@pytest.mark.parametrize("flow", ["Reply", "Other"])
def test_a_flow_is_started_with_a_payload(
    flow: str, emulator: Emulator, twilio: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment(tmp_path, twilio, flow=TWO)
    start = ["runs", "start", "--database", deployment.database]
    with deployment.serving():
        assert main([*start, flow, "--payload", json.dumps(PAYLOAD)]) == exit_codes.DONE
        run: dict[str, Any] = json.loads(capsys.readouterr().out)
        until(lambda: emulator.messages, "the message of the run that was started")
        until(lambda: deployment.running() == 0, "the run has ended")
        assert main(["runs", "show", run["id"], "--database", deployment.database]) == exit_codes.DONE
        shown = json.loads(capsys.readouterr().out)
        assert (shown["flow"], shown["state"]) == (flow, "succeeded")
    (message,) = emulator.messages
    assert (message.to, message.body) == ("+15558675310", "You wrote by hand")
    # Also while nothing serves: the next process carries it out.
    assert main([*start, flow, "--payload", json.dumps(PAYLOAD)]) == exit_codes.DONE
    with deployment.serving():
        until(lambda: len(emulator.messages) == 2, "the message of the second run")
    capsys.readouterr()
    assert main([*start, "Repli"]) == exit_codes.BAD_INPUT
    assert "no flow 'Repli' is served from this database; did you mean 'Reply'?" in capsys.readouterr().err
    assert main([*start, "Reply", "--integration", INTEGRATION[:-1]]) == exit_codes.BAD_INPUT
    assert f"no integration '{INTEGRATION[:-1]}' is served from this database; did you mean '{INTEGRATION}'?" in (
        capsys.readouterr().err
    )
