"""How runs are put into the engine's queue."""

from __future__ import annotations

import base64
import pickle
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from dbos import DBOSPortableJSONSerializer
from dbos._serialization import deserialize_value

from twilio_component.durable.execution.run_queue import PickleRefusedError, RunQueue

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.store.database import Database


def test_runs_are_put_into_the_queue_once_and_in_one_order_so_that_no_two_processes_wait_for_each_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, put = RunQueue(database), []

    def note(_connection: Connection, options: dict[str, str], run: str) -> None:
        put.append((options["workflow_id"], run))

    monkeypatch.setattr(queue.client, "enqueue_in_transaction", note)
    with closing(database.engine.connect()) as connection:
        queue.put(connection, ["c", "a", "b", "a"])
    assert put == [("a", "a"), ("b", "b"), ("c", "c")]


def test_nothing_that_the_database_holds_is_unpickled(database: Database) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, ("raise SystemExit('code from the database was run')",)

    RunQueue(database)
    trap = base64.b64encode(pickle.dumps(Trap())).decode()
    with pytest.raises(PickleRefusedError):
        deserialize_value(trap, "py_pickle", DBOSPortableJSONSerializer())
