"""What looks at the workflow engine's rows again and again reads those that are open, not all that ever ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from dbos import DBOS
from sqlalchemy import Connection, text
from support.statements import plan_of, statements

from twilio_component.durable.execution.run_queue import CHUNKS, RUNS
from twilio_component.durable.store import workflow_rows
from twilio_component.durable.store.database import Database

ENDED = 20_000
LOOKS: dict[str, Callable[[Connection], object]] = {
    "for work": lambda connection: workflow_rows.queues_with_work(connection, [RUNS, CHUNKS]),
    "for what waits longest": lambda connection: workflow_rows.oldest_enqueued(connection, [RUNS, CHUNKS]),
    "for processes": lambda connection: workflow_rows.pending_executors(connection, ["5"]),
    "for what was taken": workflow_rows.pending_workflows,
    "for what is open": workflow_rows.open_workflows,
    "for what has not begun": lambda connection: workflow_rows.workflows_of_executor(connection, "serve", 1.0),
    "for earlier runs": lambda connection: workflow_rows.adopt_workflows(connection, ["4"], "5"),
    "for those of a dead process": lambda connection: workflow_rows.adopt_workflows(connection, ["4"], "5", "dead"),
}


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A database with many workflows that have ended."""
    database = Database(url)
    database.create()
    DBOS.migrate(url)
    rows = "workflow_status" if database.is_sqlite else "dbos.workflow_status"
    with database.engine.begin() as connection:
        ended = [{"id": f"run-{number}", "at": 1000 + number} for number in range(ENDED)]
        connection.execute(
            text(
                f"INSERT INTO {rows} (workflow_uuid, status, name, executor_id, application_version, created_at,"  # noqa: S608
                " updated_at, queue_name, recovery_attempts, priority)"
                " VALUES (:id, 'SUCCESS', 'run_flow', 'serve', '5', :at, :at, 'flows', 1, 0)"
            ),
            ended,
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    yield database
    database.close()


def test_no_look_reads_the_workflows_that_have_ended(database: Database) -> None:
    plans = {}
    for name, look in LOOKS.items():
        with statements(database.engine) as executed, database.engine.begin() as connection:
            look(connection)
        (statement,) = [one for one in executed if "workflow_status" in one.text]
        plans[name] = plan_of(database.engine, statement)
    # SQLite says SCAN for each: one that names an index of open workflows reads no others.
    whole = {
        name: told
        for name, told in plans.items()
        if "Seq Scan" in told or any("SCAN w" in line and "USING" not in line for line in told.splitlines())
    }
    assert whole == {}
