"""``opt-outs``: the register by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from twilio_component.cli.main import main
from twilio_component.durable.store.database import Database

PERSON, SENDER = "+15558675310", "+15017122661"


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs ``opt-outs`` on a new database; the exit code, and what was printed on both streams."""
    url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
    database = Database(url)
    database.create()
    database.close()

    def run(verb: str, *words: str) -> tuple[int, str, str]:
        code = main(["opt-outs", verb, *words, "--database", url])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_person_is_added_checked_listed_and_removed_however_the_number_is_written(command: Any) -> None:
    assert json.loads(command("add", "+1 (555) 867-5310", "--from", "501-712-2661")[1]) == {"added": 1}
    assert json.loads(command("add", PERSON, "--from", SENDER)[1]) == {"added": 0}
    code, said, _ = command("check", PERSON)
    (entry,) = json.loads(said)
    assert (code, entry["person"], entry["scope"], entry["source"]) == (1, PERSON, SENDER, "operator")
    assert command("check", PERSON, "--from", "MG" + "0" * 32)[:2] == (0, "[]\n")
    assert json.loads(command("list")[1]) == entry
    assert command("list", "--from", "*")[1] == ""
    assert json.loads(command("remove", PERSON)[1]) == {"removed": 1}
    assert command("check", PERSON)[0] == 0


def test_what_is_exported_can_be_imported(command: Any, tmp_path: Path) -> None:
    command("add", PERSON)
    command("add", f"whatsapp:{PERSON}", "--from", "MG" + "0" * 32)
    file = tmp_path / "people.csv"
    file.write_text(command("export")[1], encoding="utf-8")
    command("remove", PERSON)
    assert json.loads(command("import", str(file))[1]) == {"read": 2, "added": 1}
    assert command("check", PERSON, "--from", SENDER)[0] == 1


def test_a_file_with_a_wrong_line_imports_nothing_and_names_the_line_without_the_number(
    command: Any, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"name,person\nAda,{PERSON}\nBob,12\n", encoding="utf-8")
    code, _, said = command("import", str(file), "--from", SENDER)
    assert code == 2
    assert "line 3: The recipient must be a valid phone number" in said
    assert command("list")[1] == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "nobody"), "PERSON: The recipient must be a valid phone number"),
        (("add", PERSON, "--from", "+1"), "--from: The sender must be"),
        (("add", PERSON, "--from", "MG123"), "--from: must be a messaging service SID: MG and 32 hexadecimal digits"),
        (("add", PERSON, "--from", "AC1"), "--from: must be an Account SID: AC and 32 hexadecimal digits"),
        (("check", PERSON, "--from", "MG" + "x1" * 16), "--from: must be a messaging service SID"),
        (("import", "/no/such/file"), "/no/such/file: No such file or directory"),
    ],
)
def test_what_is_wrong_is_named(command: Any, words: tuple[str, ...], said: str) -> None:
    code, _, err = command(*words)
    assert code == 2
    assert said in err


@pytest.mark.parametrize("sender", ["ACE", "MGM Grand", "*"])
def test_a_sender_whose_name_begins_like_a_sid_is_a_sender(command: Any, sender: str) -> None:
    assert json.loads(command("add", PERSON, "--from", sender)[1]) == {"added": 1}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_as_spreadsheets_write_it_is_read(command: Any, tmp_path: Path, delimiter: str) -> None:
    file = tmp_path / "people.csv"
    rows = (("name", "person", "scope"), ("Ada", PERSON, SENDER), ("Bob", "+15558675311", "*"))
    file.write_text("\ufeff" + "\r\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    assert json.loads(command("import", str(file))[1]) == {"read": 2, "added": 2}


def test_a_file_that_is_not_text_is_refused(command: Any, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(b"person\n\xff\xfe\n")
    assert "must be a CSV file in UTF-8" in command("import", str(file))[2]


def test_a_file_without_the_column_is_refused(command: Any, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("phone\n+15558675310\n", encoding="utf-8")
    assert "line 1: must name the columns: person" in command("import", str(file))[2]
