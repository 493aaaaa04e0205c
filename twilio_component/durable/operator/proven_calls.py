"""Calls whose outcome was unknown until their provider has proven it: a retry makes no others.

A signed callback may arrive after its run has ended. Then the intent names what the call has created, and the retry's
call takes that over (see ``late_proofs``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from twilio_component.durable import ids
from twilio_component.durable.sending.intents import SETTLED
from twilio_component.durable.store.schema import intents

if TYPE_CHECKING:
    from sqlalchemy import Connection


def proven_calls(connection: Connection, run: str) -> set[str]:
    """The keys of such calls without the run's id, of the run and those whose place it took: ``:5``, ``.1-17:0``."""
    found: set[str] = set()
    for attempt in ids.lineage(run):
        is_proven = (intents.c.resource_id.is_not(None), intents.c.state != SETTLED)
        keys = connection.execute(select(intents.c.key).where(intents.c.run == attempt, *is_proven)).scalars()
        found.update(key.removeprefix(attempt) for key in keys)
    return found


def count_made_anew(caller: str, proven: Collection[str], kept: Iterable[Mapping[str, Any]]) -> int:
    """How many of the proven calls a caller makes anew when these entries of its journal are kept.

    ``caller`` is its id without the run's: empty for the run itself, ``.1-17`` for an item.
    """
    ordinals = {entry["ordinal"] for entry in kept}
    own = (key.rpartition(":") for key in proven)
    return sum(of == caller and int(ordinal) not in ordinals for of, _, ordinal in own)
