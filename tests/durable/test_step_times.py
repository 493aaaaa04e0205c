"""A step began when it was first begun, whichever process recorded its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert

from twilio_component.durable.operator.run_pages import RunPages
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.reader import Reader
from twilio_component.durable.store.schema import definitions, intents, journal, loops, questions, runs

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_BEGAN, CONTINUED = 100.0, 900.0
BEGAN = {"read": 110.0, "everyone": 120.0, "ask": 130.0, "start": 140.0, "send": 150.0, "wait": 160.0, "copied": 100.0}


def _store(connection: Connection) -> None:
    connection.execute(insert(definitions).values(digest="d", file="f", text="t"))
    run: dict[str, Any] = {"definition": "d", "integration": "I", "flow": "F", "state": "running"}
    connection.execute(insert(runs).values(id="run", created_at=RUN_BEGAN, **run))
    connection.execute(insert(runs).values(id="run.3", created_at=BEGAN["start"], **run))
    loop = {"loop_step": "l", "concurrency": 1, "captured": "{}", "taken": 0, "is_whole": True, "generation": 0}
    for ordinal, created_at in ((1, BEGAN["everyone"]), (7, RUN_BEGAN - 50)):  # the latter of the run it repeats
        connection.execute(insert(loops).values(run="run", ordinal=ordinal, step_id="l", created_at=created_at, **loop))
    question = {"conversation": "c", "state": "closed", "operation": "o", "expects": "{}", "most_sends": 1, "sent": 1}
    question |= {"misfits": 0, "seconds": 60.0, "keeps_late": False, "effects": "[]"}
    connection.execute(insert(questions).values(key="run:2", run="run", ordinal=2, created_at=BEGAN["ask"], **question))
    call = {"fingerprint": "f", "limit_keys": "[]", "state": "settled", "attempt": 1}
    connection.execute(insert(intents).values(key="run:4", run="run", step_id="send", created_at=BEGAN["send"], **call))
    steps = ["read", "everyone", "ask", "start", "send", "wait", "wait", "copied"]
    first = {0: BEGAN["read"], 5: BEGAN["wait"]}  # the process that recorded the others continued the run
    connection.execute(
        insert(journal),
        [
            {
                "run": "run",
                "ordinal": ordinal,
                "step_id": step,
                "value": '{"envelope": {"again": 1}}' if ordinal == 5 else '{"envelope": {"data": null}}',
                "is_failure": False,
                "started_at": first.get(ordinal, CONTINUED),
                "finished_at": CONTINUED + 1,
            }
            for ordinal, step in enumerate(steps)
        ],
    )


def _seconds(shown: Mapping[str, Any]) -> dict[str, float]:
    return {
        step["step"]: 60 * int(step["started"][14:16]) + float(step["started"][17:-1])
        for step in shown["steps"]
        if step["state"] == "succeeded"
    }


async def test_a_step_that_another_process_has_continued_is_shown_with_the_time_at_which_it_first_began(
    url: str,
) -> None:
    database = Database(url)
    database.create()
    await database.run(_store)
    assert _seconds(await RunViews(database).show("run")) == BEGAN
    reader = Reader(database)
    assert _seconds(await RunPages(reader).run("run")) == BEGAN
    reader.close()
    database.close()
