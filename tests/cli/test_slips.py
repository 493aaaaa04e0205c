"""Slips on the command line: each is refused in a sentence that says what would work, and nothing is ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from twilio_component.cli.main import main

SID = "SM" + "0" * 32


@pytest.fixture
def starter(tmp_path: Path) -> str:
    file = tmp_path / "starter.yaml"
    assert main(["flow", "new", str(file)]) == 0
    return str(file)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    capsys.readouterr()
    assert main(list(arguments)) == code
    return capsys.readouterr().err


def test_an_input_that_is_given_twice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = refusal(capsys, "invoke", "estimateMessage", "--input", "message=a", "--input", "message=b")
    assert "--input: message is given more than once" in words


def test_a_mock_must_name_a_component_and_an_action(capsys: pytest.CaptureFixture[str], starter: str) -> None:
    for mock in ("foo", "foo.", ".foo", "foo={}"):
        assert "must be COMPONENT.ACTION" in refusal(capsys, "flow", "check", starter, "--mock", mock)


@pytest.mark.parametrize("command", [["flow", "check"], ["flow", "run", "--emulator"]])
def test_a_mock_that_replaces_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], starter: str, command: list[str]
) -> None:
    words = refusal(capsys, *command, starter, "--mock", "twilio.sendSms")
    assert "the mock 'twilio.sendSms' stands for no step; did you mean 'twilio.sendSMS'?" in words


def test_several_codes_are_explained_and_an_unknown_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["errors", "30003", "21610"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("30003 (")
    assert "\n\n21610 (" in shown
    assert main(["errors", "21610", "99999"]) == 2
    both = capsys.readouterr()
    assert "21610" in both.out
    assert "Unknown error code 99999" in both.err


def test_a_misspelt_word_of_an_error_has_a_neighbour(capsys: pytest.CaptureFixture[str]) -> None:
    words = refusal(capsys, "errors", "delivary", "recipient")
    assert "No error code has delivary; did you mean 'delivery'?" in words


def test_why_looks_at_its_argument_before_the_connection(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWILIO_ACCOUNT_SID", raising=False)
    assert "SID: must be a message SID" in refusal(capsys, "why", "hello")
    assert "TWILIO_ACCOUNT_SID" in refusal(capsys, "why", SID)


def test_a_component_is_checked_from_any_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))  # restores what the command adds
    folder = tmp_path / "rain-component"
    assert main(["component", "new", "rain", "--folder", str(folder)]) == 0
    assert main(["component", "check", str(folder)]) == 0
    assert main(["component", "check", str(folder / "rain" / "component.yaml")]) == 0
    assert "has no component.yaml" in refusal(capsys, "component", "check", str(tmp_path))


@pytest.mark.parametrize(("recipient", "named"), [("ada@example.org", "not 'a'"), ("+1555867531\u0436", "not U+0436")])
def test_a_character_that_no_number_has_is_named(
    capsys: pytest.CaptureFixture[str], recipient: str, named: str
) -> None:
    arguments = [f"to={recipient}", "from=+15017122661", "message=x"]
    given = [word for one in arguments for word in ("--input", one)]
    words = refusal(capsys, "invoke", "sendSMS", "--emulator", *given)
    assert named in words


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["--database", "x", "runs", "list"], "options come after the command: twilio-component COMMAND --database …"),
        (
            ["runs", "--state", "failed", "list"],
            "come after the command: twilio-component runs COMMAND --state …",
        ),
        (["runs", "lst"], "there is no command 'lst'; did you mean 'list'?"),
        (["runs", "zzz"], "there is no command 'zzz' (there are list, show, follow,"),
        (["flow"], "which command? There are check, run and new"),
    ],
)
def test_a_command_that_is_missing_misspelt_or_late_is_said(
    command: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(command)
    assert words in capsys.readouterr().err


def test_a_database_that_cannot_be_used_is_named_without_its_password(capsys: pytest.CaptureFixture[str]) -> None:
    words = refusal(capsys, "runs", "list", "--database", "postgresql://me:secret@127.0.0.1:1/flows", code=4)
    assert words.endswith("it cannot be reached, or the connection is lost): postgresql://me:***@127.0.0.1:1/flows\n")
