"""The beginning of a run's id is enough, where only one run has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twilio_component.durable.errors import RunStateError, UnknownRunError
from twilio_component.durable.operator.run_ids import find_run_id, shorten
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

IDS = ("web-1a2b", "web-1a2b.3", "web-1a2b~2", "web-1c", "web-1cd", "x%y")


@pytest.fixture
async def filled(database: Database) -> Database:
    store = RunStore(database)
    digest = await store.define("f.yaml", "text")
    for run in IDS:
        await store.accept(NewRun(id=run, definition=digest, integration="I", flow="F", payload={}))
    return database


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("web-1a", "web-1a2b"),
        ("web-1a2b.", "web-1a2b.3"),
        ("web-1c", "web-1c"),
        ("web-1cd", "web-1cd"),
        ("x%", "x%y"),
        ("web-1a~2", "web-1a2b~2"),
        ("web-1.3", "web-1a2b.3"),
        (" web-1a2b ", "web-1a2b"),
    ],
)
async def test_a_beginning_names_the_only_run_that_has_it_or_what_others_belong_to(
    filled: Database, text: str, run: str
) -> None:
    assert await find_run_id(filled, text) == run


async def test_a_beginning_of_several_runs_names_them(filled: Database) -> None:
    with pytest.raises(RunStateError, match=r"'web-1' begins the ids of several runs: web-1c, web-1cd, web-1a2b"):
        await find_run_id(filled, "web-1")


@pytest.mark.parametrize("text", ["web-2", "", " ", "%", "w_b", "web-1a~3"])
async def test_a_beginning_of_no_run_is_said_so(filled: Database, text: str) -> None:
    with pytest.raises(UnknownRunError, match="there is no run"):
        await find_run_id(filled, text)


@pytest.mark.parametrize("run", [f"web-{'5' * 40}", f"web-{'5' * 40}~2", f"web-{'5' * 40}.3.1~2"])
def test_a_short_id_keeps_its_end(run: str) -> None:
    short = shorten(run, 20)
    assert len(short) == 20
    assert run.endswith(short[12:].lstrip("5"))
    assert shorten(run, 60) == run
