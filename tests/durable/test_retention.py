"""What retention deletes beside runs: alarms that have been told, and whom nobody asks about any more."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select
from support.engine import COUNT, serving

from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import removal
from twilio_component.durable.store.operator_tables import alarm_turns, alarms
from twilio_component.durable.store.schema import events, last_heard

if TYPE_CHECKING:
    import pytest
    from sqlalchemy import Connection, Table

DAY = 24 * 3600.0
ALARM = {"body": "{}", "told": "[]", "tries": 1}


async def test_what_is_old_is_deleted_piece_by_piece_and_what_may_be_asked_for_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_ROWS", 2)
    now = time.time()

    def alarm(name: str, finished: float | None) -> dict[str, Any]:
        return {"id": name, "created_at": now - 9 * DAY, "next_at": now + DAY, "finished_at": finished, **ALARM}

    def fill(connection: Connection) -> None:
        told = [alarm(f"told-{number}", now - 8 * DAY) for number in range(5)]
        rest = [alarm("told lately", now - 6 * DAY), alarm("not told", None)]
        connection.execute(insert(alarms), [*told, *rest])
        turns = [{"name": "old", "last_at": now - 8 * DAY}, {"name": "new", "last_at": now}]
        connection.execute(insert(alarm_turns), turns)
        of_events = [
            {"id": name, "run": "gone", "kept_until": now + kept} for name, kept in (("of now", 9), ("old", -9))
        ]
        connection.execute(insert(events), [*of_events, {"id": "of a run", "run": "there", "kept_until": None}])
        heard = [{"person": f"p{days}", "sender": "s", "heard_at": now - days * DAY} for days in (0.5, 2, 3, 4)]
        connection.execute(insert(last_heard), heard)

    async with serving(tmp_path, COUNT, settings=Settings(keep_days=7)) as served:
        await served.engine.database.run(fill)
        assert await served.engine.retention.purge() == 0

        def left(table: Table, column: str) -> set[str]:
            with served.engine.database.engine.connect() as connection:
                return {*connection.execute(select(table.c[column])).scalars()}

        assert left(alarms, "id") == {"told lately", "not told"}
        assert left(alarm_turns, "name") == {"new"}
        assert left(last_heard, "person") == {"p0.5"}
        assert left(events, "id") == {"of now", "of a run"}


async def test_a_process_whose_machine_has_another_time_purges_nothing_that_is_new_to_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, COUNT) as served:
        await served.run("one")
        with monkeypatch.context() as patched:
            wrong = time.time() + 60 * DAY
            patched.setattr(time, "time", lambda: wrong)
            assert await served.engine.retention.purge() == 0
            assert await Operations(served.engine.database).purge(30) == 0
        assert await Operations(served.engine.database).purge(0) == 1
