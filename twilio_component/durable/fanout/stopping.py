"""Stops the run of a list that would be refused to its end, so that an operator can resume it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from twilio_component.durable import observation
from twilio_component.durable.fanout.store import count_iterations
from twilio_component.durable.store.run_status import LIST_STOPPED, RUNNING
from twilio_component.durable.store.schema import loops, runs
from twilio_component.durable.store.upsert import to_json
from twilio_component.durable.store.workflow_rows import cancel_workflow
from twilio_component.flows.interpreter.iterations import failure_code
from twilio_component.flows.interpreter.stop_rule import LIST_STOPPED as LIST_STOPPED_CODE
from twilio_component.flows.interpreter.stop_rule import stop_reason

if TYPE_CHECKING:
    from twilio_component.durable.fanout.store import ParallelLoop
    from twilio_component.durable.observation import Observer, RunEnd
    from twilio_component.durable.store.runs import RunStore
    from twilio_component.durable.store.waits import Enqueue


async def stop_list(
    store: RunStore, observer: Observer, enqueue: Enqueue, loop: ParallelLoop, cause: Mapping[str, Any]
) -> bool:
    """Stop the run of a ``loop`` because of the error ``cause``; False when nothing is left to stop.

    False as well when another chunk stopped it before. If an operator has resumed the run since, it has another
    generation than this ``loop`` had when the cause was met, and continues.
    The ``observer`` is told, and ``enqueue`` has the runs executed that waited for calls of this one. Calls under way
    are completed, and what has not been tried stays pending. Retries until the database is available.
    """
    key = loop.key

    def stop(connection: Connection) -> RunEnd | None:
        # An operator who resumes the run locks it, too, before the loop's generation changes.
        connection.execute(select(runs.c.id).where(runs.c.id == key.run).with_for_update())
        of_loop = (loops.c.run == key.run, loops.c.ordinal == key.ordinal, loops.c.generation == loop.generation)
        current = connection.execute(select(loops.c.is_whole).where(*of_loop)).one_or_none()
        counts = count_iterations(connection, key)
        if current is None or (current.is_whole and not counts["pending"]):
            return None
        record = _record(cause, counts)
        stopping = update(runs).where(runs.c.id == key.run, runs.c.state == RUNNING)
        if not connection.execute(stopping.values(state=LIST_STOPPED, error=to_json(record))).rowcount:
            return None
        cancel_workflow(connection, key.run)
        began = select(runs.c.id, runs.c.flow, runs.c.created_at).where(runs.c.id == key.run)
        run: Any = connection.execute(began).one()
        return observation.run_end(run, LIST_STOPPED, record, time.time())

    stopped = await store.change(key.run, stop)
    if stopped is None:
        return False
    await store.waits.wake_behind(key.run, enqueue, wait_for_database=True)
    observation.log_end(stopped, store.database_url)
    observer.run_ended(stopped)
    return True


def _record(cause: Mapping[str, Any], counts: Mapping[str, Any]) -> dict[str, Any]:
    """The error of a run whose list stopped because of ``cause``; ``counts`` are those of its iterations."""
    by_code = {**counts["failed"], **({"outcome-unknown": counts["unknown"]} if counts["unknown"] else {})}
    return {
        "step": cause["step"],
        "id": cause["id"],
        "code": LIST_STOPPED_CODE,
        "reason": failure_code(cause),
        "message": f"{stop_reason(cause)}. Once the cause is fixed, resume the run: it tries the pending items",
        "outcomeUnknown": False,
        "byCode": by_code,
    }
