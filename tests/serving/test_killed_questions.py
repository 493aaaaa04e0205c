"""A process that is killed while a question is open: another one goes on with the answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.serve_processes import ACCOUNT_SID, ASKING, SENDER, Deployment, post
from support.waiting import until

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator

PERSON = "+15558670001"


def written(sid: int, body: str) -> dict[str, str]:
    return {"MessageSid": f"SM{sid:032x}", "AccountSid": ACCOUNT_SID, "From": PERSON, "To": SENDER, "Body": body}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_process_is_killed_while_it_waits_and_the_answer_continues_the_run_in_the_next(
    kind: str, emulator: Emulator, twilio: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = request.getfixturevalue("new_database")() if kind == "postgres" else ""
    deployment = Deployment(tmp_path, twilio, database=database, flow=ASKING)
    process = deployment.start()
    deployment.wait_until_ready(process)
    assert post(deployment.webhook(), written(1, "Hello")).status_code == 204
    until(lambda: len(emulator.messages) == 1, "the question is sent")
    process.kill()
    process.wait(20)
    with deployment.serving():
        assert post(deployment.webhook(), written(2, "yes")).status_code == 204
        assert post(deployment.webhook(), written(2, "yes")).status_code == 204
        until(lambda: len(emulator.messages) == 2, "the run has gone on")
        until(lambda: deployment.running() == 0, "the run has ended")
    assert [message.body for message in emulator.messages] == ["Really?", "answered true"]
