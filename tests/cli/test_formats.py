"""One convention for what commands print: ``--json`` a document, ``--jsonl`` lines, ``--csv`` rows."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twilio_component.cli.flow_output import TerminalView
from twilio_component.cli.main import command_parser, main
from twilio_component.emulator import Emulator
from twilio_component.testing import emulator_connection

FLOW = """\
name: Formats
flows:
  - name: Hello
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Say, action: sleep.sleep, inputs: {ms: 1}}
"""
COUNT = 1_203  # of messages: two pages
BODY = 'He said "hi",\n=1+1'


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    emulator, given = Emulator(), emulator_connection()
    credentials = {"sid": given["fields"]["username"], "authToken": given["fields"]["password"]}
    people = {"to": "+15558675310", "from": "+15017122661"}
    messages = [{**people, "body": f"n {number}" if number else BODY} for number in range(COUNT)]
    folder = tmp_path_factory.mktemp("connection")
    (folder / "seed.json").write_text(json.dumps({"accounts": [{**credentials, "messages": messages}]}))
    emulator.load_seed(folder / "seed.json")
    with emulator.serve_in_thread() as served:
        given["fields"]["baseUrl"] = served.url
        (folder / "twilio.json").write_text(json.dumps(given))
        yield str(folder / "twilio.json")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main([*arguments])
    return capsys.readouterr().out


def test_every_command_with_json_has_the_same_words_for_it_and_lines_beside_it() -> None:
    groups = [command_parser("")]
    found: dict[str, str | None] = {}
    while groups:
        parser = groups.pop()
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                groups += [*action.choices.values()]
            elif "--json" in action.option_strings:
                found[parser.prog.partition(" ")[2]] = action.help
    alone = {"describe": found.pop("describe")}  # its JSON is the manifest
    assert alone["describe"]
    assert set(found) == {
        *("invoke", "errors", "why", "component list", "flow check", "flow run", "opt-outs list"),
        *("runs list", "runs show", "runs items", "runs doctor"),
    }
    assert len(set(found.values())) == 1


def test_a_long_list_is_lines_of_json_or_rows_page_by_page(connection: str, capsys: pytest.CaptureFixture[str]) -> None:
    listing = ("invoke", "listMessages", "--connection", connection)
    lines = [json.loads(line) for line in printed(capsys, *listing, "--jsonl").splitlines()]
    rows = [*csv.DictReader(io.StringIO(printed(capsys, *listing, "--csv")))]
    assert [row["sid"] for row in rows] == [line["sid"] for line in lines]
    assert len({line["sid"] for line in lines}) == COUNT
    assert {BODY} < {row["body"] for row in rows} == {line["body"] for line in lines}
    assert json.loads(rows[0]["subresourceUris"]) == lines[0]["subresourceUris"]
    few = json.loads(printed(capsys, *listing, "--json", "--input", "limit=3"))
    assert few["data"] == lines[:3]


def test_the_progress_of_a_long_list_is_beside_the_records_where_a_person_looks(
    connection: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    printed(capsys, "invoke", "listMessages", "--connection", connection, "--csv")
    assert terminal.getvalue().endswith("1,203 records\n")
    assert "\r" in terminal.getvalue()


def test_a_table_without_rows_has_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    heading, *rows = printed(capsys, "invoke", "listMessages", "--emulator", "--csv").splitlines()
    assert ({"sid", "to", "body"} <= set(heading.split(",")), rows) == (True, [])


def test_what_is_one_record_is_a_row_and_what_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    row = printed(capsys, "invoke", "estimateMessage", "--input", "message=Hi", "--csv").splitlines()
    assert row == [
        "encoding,segments,units,unitsPerSegment,unicodeCharacters,replacedCharacters",
        "GSM-7,1,2,160,[],[]",
    ]
    assert main(["invoke", "math.add", "--input", "numbers=[1,2]", "--csv"]) == 2
    assert "--csv: the records are not objects; use --jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("errors", "20003", "21610"), ("errors", "whatsapp", "template")])
def test_codes_are_records(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    array = json.loads(printed(capsys, *command, "--json"))
    assert array == [json.loads(line) for line in printed(capsys, *command, "--jsonl").splitlines()]
    assert all({"code", "meaning", "remedy", "link"} <= one.keys() for one in array)


def test_a_flow_that_runs_is_lines_or_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    command = ("flow", "run", str(tmp_path / "flow.yaml"))
    *events, outcome = map(json.loads, printed(capsys, *command, "--jsonl").splitlines())
    document: Any = json.loads(printed(capsys, *command, "--json"))
    assert [one["event"] for one in events] == [one["event"] for one in document["events"]]
    assert (outcome["status"], document["status"]) == ("succeeded", "succeeded")


def test_the_rounds_of_a_loop_share_a_line_but_for_the_first_that_fail() -> None:
    stream = Terminal()
    view = TerminalView(stream)
    for number in range(500):
        step = {"event": "step", "id": f"all[{number}].send", "action": "twilio.sendSMS", "milliseconds": 1.0}
        view.event({**step, "event": "begin"})
        failed = {"error": {"code": "twilio-api-error", "reason": "21610", "message": "opted out"}}
        view.event({**step, **(failed if number % 50 == 0 else {"result": None})})
    view.event({"event": "step", "id": "all", "action": "loop.loopOverItems", "milliseconds": 9.0, "result": 500})
    lines = [line.rpartition("\r\x1b[K")[2] for line in stream.getvalue().rstrip().split("\n")]
    assert lines == [
        *(f"✗  all[{number}].send  twilio.sendSMS  1 ms  opted out" for number in range(0, 250, 50)),
        "✗  all: 500 iterations, 10 steps failed (21610: 10)",
        "✓  all  loop.loopOverItems  9 ms  500",
    ]
