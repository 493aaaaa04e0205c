"""What the store has of a person: all of it is shown, and all of it is erased, in whatever form it was written."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Text, insert, select, update
from support.engine import SEND, TO, serving
from support.long_lists import flow, people

from twilio_component.cli.main import main
from twilio_component.durable.operator.mentions import ERASED, Mentions
from twilio_component.durable.operator.people import OWN, SCANNED, People
from twilio_component.durable.sending.opt_outs import OPERATOR, OptOutRegister
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import schema

DIGITS = "5558675310"
OTHER = "+12125550123"
NOT_ABOUT_PEOPLE = {
    "flow_alarms": {"body", "told"},  # flows, states, counts and ids of runs
    "flow_definitions": {"file", "text"},
    "flow_runs": {"integration", "flow"},
    "flow_heartbeats": {"schedules"},
    "flow_served": {"public_url"},
    "flow_journal": {"step_id"},
    "flow_intents": {"step_id", "limit_keys", "hold_reason"},
    "flow_loops": {"step_id", "loop_step"},
    "flow_questions": {"effects"},
    "flow_throttles": {"reason"},
    "flow_registrations": {"state"},
}


@pytest.mark.parametrize(
    "text",
    [
        "+15558675310",
        "whatsapp:+15558675310",
        "From=%2B15558675310&Body=x",
        "call (555) 867-5310 now",
        "1-555-867-5310",
        "555.867.5310",
    ],
)
def test_a_number_is_recognized_however_it_is_written(text: str) -> None:
    assert Mentions("+15558675310").found_in(text)


@pytest.mark.parametrize("text", ["+155586753101", "+44 5558675310", "9915558675310", "SM5558675", "", "+15558675311"])
def test_somebody_elses_number_is_not_taken_for_it(text: str) -> None:
    assert not Mentions("+15558675310").found_in(text)


def test_an_object_about_the_person_goes_as_a_whole_and_its_neighbours_stay() -> None:
    value = [{"name": "Ada", "phone": TO}, {"name": "Bob", "phone": OTHER}, [TO, 5], 15558675310]
    assert Mentions(TO).erase(value) == [ERASED, {"name": "Bob", "phone": OTHER}, [ERASED, 5], ERASED]
    assert Mentions(TO).erase({"a": TO, "b": {"c": TO, "d": 1}}, keep=1) == {"a": ERASED, "b": ERASED}


def test_a_name_that_mentions_the_person_goes_with_its_value_and_its_neighbours_stay() -> None:
    value = {"instanceState": {TO: "5 Station", OTHER: "4 Harbour"}, TO: 1}
    assert Mentions(TO).erase(value, keep=2) == {"instanceState": {OTHER: "4 Harbour"}}
    assert Mentions(TO).erase(value) == ERASED


def test_every_text_column_of_the_store_is_searched_or_is_known_to_be_about_nobody() -> None:
    for table in schema.metadata.tables.values():
        texts = {column.name for column in table.columns if isinstance(column.type, Text)}
        assert texts - set(SCANNED.get(table, {})) == NOT_ABOUT_PEOPLE.get(table.name, set()), table.name
        if "person" in table.c and table is not schema.intents:
            assert table in OWN


def everything_in(folder: Path) -> str:
    """The whole database as text."""
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        return "\n".join(connection.iterdump())


def test_a_person_is_erased_from_runs_lists_and_registers_and_nobody_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    people(tmp_path, 3, {0: TO, 1: OTHER, 2: "12"})
    settings = Settings(timeout=0.5, lag_bound=0.2, keep_payloads=True)

    async def fill() -> None:
        async with serving(tmp_path, flow() + SEND.replace("Main", "Single"), settings=settings) as served:
            await served.run("list")
            await served.run("single", "Single")
            await OptOutRegister(served.engine.database).add(
                [("*", TO), ("*", f"whatsapp:{TO}"), ("*", OTHER)], OPERATOR
            )
            # A flow keeps a value by the number, and the next run begins with it.
            values = [{"scope": "test//cross-flow", "name": TO, "value": "5"}]
            values += [{"scope": "test//cross-flow", "name": "last", "value": json.dumps({"last": TO})}]
            values += [{"scope": "test//cross-flow", "name": OTHER, "value": "6"}]
            await served.engine.database.run(lambda connection: connection.execute(insert(schema.stored_state), values))
            await served.run("later", "Single")

    asyncio.run(fill())
    before = everything_in(tmp_path)
    assert DIGITS in before
    assert "P0" in before
    url = f"sqlite:///{tmp_path / 'runs.sqlite'}"

    assert main(["people", "export", TO, "--database", url]) == 0
    exported = json.loads(capsys.readouterr().out)
    assert {one["table"] for one in exported["mentions"]} >= {"flow_runs", "flow_journal", "flow_stored_state"}
    assert len(exported["rows"]["flow_opt_outs"]) == 2
    assert OTHER not in json.dumps(exported)

    assert main(["people", "forget", "+1 (555) 867-5310", "--database", url]) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["unfinishedRuns"] == []
    assert receipt["erased"]["flow_opt_outs"] == 2
    after = everything_in(tmp_path)
    assert DIGITS not in after
    assert '"P0"' not in after
    assert OTHER in after
    assert DIGITS.encode() not in (tmp_path / "runs.sqlite").read_bytes()
    assert main(["runs", "show", "list", "--database", url]) == 0
    assert main(["people", "forget", TO, "--database", url]) == 0
    said = capsys.readouterr().out
    again = json.loads(said[said.rindex('{\n  "erased"') :])
    assert set(again["erased"].values()) == {0}


async def test_a_run_that_has_not_ended_is_left_and_named(tmp_path: Path) -> None:
    async with serving(tmp_path, SEND) as served:
        await served.run("run")
        database = served.engine.database
        running: Any = update(schema.runs).values(state="paused", payload=json.dumps({"body": {"to": TO}}))
        await database.run(lambda connection: connection.execute(running))
        await OptOutRegister(database).add([("*", TO)], OPERATOR)
        on_call = insert(schema.definitions).values(digest="d1" * 32, file="on-call.yaml", text="to: '(555) 867-5310'")
        await database.run(lambda connection: connection.execute(on_call))
        receipt = await People(database).forget(TO, keep_opt_outs=True)
        assert receipt["unfinishedRuns"] == ["run"]
        assert "the opt-outs" in receipt["kept"]
        assert "the definition on-call.yaml (d1d1d1d1), which names the person" in receipt["kept"]
        payload = await database.run(lambda connection: connection.execute(select(schema.runs.c.payload)).scalar_one())
        assert TO in payload
        assert len(await OptOutRegister(database).of(TO)) == 1
