"""What an operator can do with a run is the same on the command line and on the page, and as its state allows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

import twilio_component
from twilio_component.cli.main import main
from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.actions import ALLOWED, RESEND, RETRY, actions_for
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.reader import Reader
from twilio_component.durable.store.run_status import STATES
from twilio_component.durable.store.schema import definitions, runs
from twilio_component.serving.operations.api import Api
from twilio_component.serving.operations.retries import Retries

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(twilio_component.__file__).parent / "serving" / "operations" / "page" / "actions.js"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The page's, of a database with one run in each state."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('actions') / 'runs.sqlite'}")
    database.create()
    with database.engine.begin() as connection:
        connection.execute(insert(definitions).values(digest="d", file="f", text="t"))
        row = {"definition": "d", "integration": "Test", "flow": "Main", "created_at": 1.0}
        connection.execute(insert(runs), [{**row, "id": state, "state": state} for state in STATES])
    reader, operations = Reader(database), Operations(database)
    yield Api(reader, operations, Retries(database, operations), database="d", version="v")
    reader.close()
    database.close()


def test_the_page_has_a_button_for_every_action_and_for_no_other() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("const ACTIONS = {")[2].partition("\n};")[0]
    assert set(re.findall(r"^  (\w+): \[", table, re.MULTILINE)) == set(ALLOWED)


@pytest.mark.parametrize("action", ALLOWED)
def test_every_action_is_a_command(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["retry", "--resend"] if action == RESEND else [action]
    with pytest.raises(SystemExit) as ended:
        main(["runs", *command, "--help"])
    assert ended.value.code == 0
    help_of_it = capsys.readouterr().out
    assert [word for word in command if word not in help_of_it] == []


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (action, state)
        for action in ALLOWED
        for state in STATES
        # A retry that may send again, of a run that has nothing to send again, is a retry.
        if state not in ALLOWED[action] and not (action == RESEND and state in ALLOWED[RETRY])
    ],
)
async def test_what_the_state_of_a_run_does_not_allow_is_not_offered_and_is_refused(
    api: Api, action: str, state: str
) -> None:
    assert action not in actions_for(state)
    with pytest.raises(RunStateError, match=rf"is {state}, but must be|retry it with --resend"):
        await api.act("actions", {"run": state, "action": action})


async def test_an_action_that_does_not_exist_is_refused_with_those_that_do(api: Api) -> None:
    with pytest.raises(ValueError, match="pause, resume, cancel, release, resolve, retry, resend"):
        await api.act("actions", {"run": "running", "action": "postpone"})
