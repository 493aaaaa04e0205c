"""What the log says of the end of a run."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from twilio_component.durable.observation import log_end, run_end
from twilio_component.durable.store.database_url import database_url
from twilio_component.durable.store.default_database import database_option

RUN = SimpleNamespace(id="web-1", flow="Confirm", created_at=0.0)


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (
            {
                "code": "flow-evaluation",
                "message": "booking.results.body.data.phone has no value: it is an object with Ada and has no 'phone'",
            },
            "flow-evaluation (booking.results.body.data.phone has no value); ",
        ),
        (
            {"code": "input-invalid", "message": "Not valid\n  $.inputs.to: is Ada\n  $.inputs.data.Ada: is"},
            "input-invalid ($.inputs.to, $.inputs.data); ",
        ),
        ({"code": "twilio-api-error", "reason": "21211", "message": "Ada is not a number"}, "twilio-api-error 21211; "),
    ],
)
def test_the_end_of_a_failed_run_says_why_without_what_people_wrote(
    error: dict[str, Any], detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    log_end(run_end(RUN, "failed", {"id": "send", **error}, 1.0), "sqlite:////tmp/runs.sqlite")
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert f"failed at send after 1.0 s: {detail}" in line
    assert line.endswith("`twilio-component runs show web-1 --database /tmp/runs.sqlite` says more")
    assert "Ada" not in line


def test_the_hint_names_the_database_unless_the_command_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TWILIO_COMPONENT_DATABASE", raising=False)
    assert database_option(database_url(".twilio-component/runs.sqlite")) == ""
    assert database_option(database_url("My runs.sqlite")) == f" --database '{tmp_path}/My runs.sqlite'"
    monkeypatch.setenv("TWILIO_COMPONENT_DATABASE", "My runs.sqlite")
    assert database_option(database_url("My runs.sqlite")) == ""
    assert database_option("postgresql://u:s3cr3t@h/d") == " --database 'postgresql://u:***@h/d'"
