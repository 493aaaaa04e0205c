"""Calls whose outcome was unknown until their provider has proven it: a retry takes them over and makes no others.

A signed callback may arrive after its run has ended. Then the intent names what the call has created, and the retry
takes the intent over, in doubt: the call finds there what it has created.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from twilio_component.durable import ids
from twilio_component.durable.sending.intents import IN_DOUBT, SETTLED
from twilio_component.durable.store.schema import intents

if TYPE_CHECKING:
    from sqlalchemy import Connection


def proven_calls(connection: Connection, run: str) -> dict[str, dict[str, Any]]:
    """The intents of such calls, of the run and those whose place it took, by their keys without the run's id.

    Those are ``:5`` and ``.1-17:0``.
    """
    found: dict[str, dict[str, Any]] = {}
    for attempt in ids.lineage(run):
        is_proven = (intents.c.resource_id.is_not(None), intents.c.state != SETTLED)
        for row in connection.execute(select(intents).where(intents.c.run == attempt, *is_proven)).mappings():
            found.setdefault(row["key"].removeprefix(attempt), dict(row))
    return found


def calls_of(caller: str, proven: Mapping[str, Any], kept: Iterable[Mapping[str, Any]]) -> list[str]:
    """The proven calls of a caller that are made anew when these entries of its journal are kept.

    ``caller`` is its id without the run's: empty for the run itself, ``.1-17`` for an item.
    """
    ordinals = {entry["ordinal"] for entry in kept}
    own = ((key, key.rpartition(":")) for key in proven)
    return [key for key, (of, _, ordinal) in own if of == caller and int(ordinal) not in ordinals]


def take_over(connection: Connection, again: str, calls: Mapping[str, Mapping[str, Any]]) -> None:
    """Let the run ``again`` have these calls, by their keys without the run's id."""
    if not calls:
        return
    # No two intents name one resource.
    before = [row["key"] for row in calls.values()]
    connection.execute(update(intents).where(intents.c.key.in_(before)).values(resource_id=None))
    changed = {"run": again, "state": IN_DOUBT}
    rows = [
        {**row, **changed, "key": again + key, "item": row["item"] and (again + key).rpartition(":")[0]}
        for key, row in calls.items()
    ]
    connection.execute(insert(intents), rows)
