"""``trigger register`` and ``trigger unregister``, against an emulator over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from twilio_component.cli.main import main
from twilio_component.emulator import Emulator

NUMBER, URL = "+15017122661", "https://example.com/sms"


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture
def arguments(emulator: Emulator, tmp_path: Path) -> Iterator[list[str]]:
    with emulator.serve_in_thread() as server:
        fields = f"{{username: AC{'0' * 31}1, password: token, baseUrl: '{server.url}'}}"
        (tmp_path / "twilio.yaml").write_text(f"key: basic\nfields: {fields}\n")
        yield [
            "inboundMessage",
            *("--connection", str(tmp_path / "twilio.yaml")),
            *("--state", str(tmp_path / "state.json")),
            *("--input", f"phoneNumber={NUMBER}"),
        ]


def test_a_number_is_set_and_set_back_by_two_processes_that_share_a_file(
    emulator: Emulator, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = emulator.add_number(NUMBER, sms_url="https://theirs.example.com/?key=topsecret")
    assert main(["trigger", "register", *arguments, "--url", URL]) == 1
    refused = capsys.readouterr().err
    assert "already points to https://theirs.example.com/?key=…" in refused
    assert "topsecret" not in refused

    assert main(["trigger", "register", *arguments, "--url", URL, "--input", "replaceWebhook=true"]) == 0
    assert "now points to this flow" in capsys.readouterr().out
    assert number.settings["sms_url"] == URL
    assert main(["trigger", "unregister", *arguments]) == 0
    assert "points to https://theirs.example.com/?key=… again, as before" in capsys.readouterr().out
    assert number.settings["sms_url"] == "https://theirs.example.com/?key=topsecret"
    assert (tmp_path / "state.json").read_text() == "{}"


def test_a_trigger_that_does_nothing_then_is_an_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trigger", "register", "pollChangesTrigger", *arguments[1:], "--url", URL]) != 0
    assert "does nothing when it is deployed" in capsys.readouterr().err
