"""When the steps of a run began: an entry of the journal tells when the process that recorded it came to the step."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, literal_column, select, union_all

from twilio_component.durable import ids
from twilio_component.durable.store.schema import intents, loops, questions, runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

_KEYS_AT_ONCE = 200


def begin_times(connection: Connection, run: Row[Any], entries: Sequence[Row[Any]]) -> Mapping[int, float | None]:
    """When the calls of these entries of a run first began, by their numbers, in seconds since 1970.

    A step that is asked again, such as one that waits for delivery, began when it was first asked.
    """
    times: dict[int, float | None] = {entry.ordinal: entry.started_at for entry in entries}
    for ordinal, stored in _stored_times(connection, run.id, list(times)):
        known = times[ordinal]
        # What a retry has copied is older than the retry.
        times[ordinal] = stored if known is None else min(known, max(stored, run.created_at))
    for before, entry in pairwise(entries):
        if before.step_id == entry.step_id and not before.is_failure:
            times[entry.ordinal] = times[before.ordinal]
    return times


def _stored_times(connection: Connection, run: str, ordinals: Sequence[int]) -> Iterator[tuple[int, float]]:
    """When the calls, questions, lists and started flows of these numbers were stored."""
    for begin in range(0, len(ordinals), _KEYS_AT_ONCE):
        chunk = ordinals[begin : begin + _KEYS_AT_ONCE]
        by_id = {ids.call_key(run, ordinal): ordinal for ordinal in chunk}
        by_id |= {ids.child_id(run, ordinal): ordinal for ordinal in chunk}
        none: ColumnElement[Any] = literal_column("NULL")
        own = [
            select(table.c.ordinal, none.label("id"), table.c.created_at).where(
                and_(table.c.run == run, table.c.ordinal.in_(chunk))
            )
            for table in (loops, questions)
        ]
        named = [
            select(literal_column("-1"), column.label("id"), column.table.c.created_at).where(column.in_(by_id))
            for column in (intents.c.key, runs.c.id)
        ]
        for row in connection.execute(union_all(*own, *named)):
            yield (by_id[row.id] if row.id is not None else row.ordinal), row.created_at
