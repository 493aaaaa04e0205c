"""Ids of runs as people type them: their beginning is enough, where only one run has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from twilio_component.durable.errors import RunStateError, UnknownRunError
from twilio_component.durable.store.schema import runs
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

_SHOWN = 5


async def find_run_id(database: Database, text: str) -> str:
    """Return the id of the run with this id, or of the only one whose id begins so.

    What a run has started or was retried as has an id that begins with the run's: then it is the run itself. Raises
    ``UnknownRunError`` for none and ``RunStateError`` for several.
    """

    def work(connection: Connection) -> list[str]:
        beginning = runs.c.id.startswith(text, autoescape=True)
        # The shortest first: a run comes before what belongs to it.
        found = select(runs.c.id).where(beginning).order_by(func.length(runs.c.id), runs.c.id).limit(_SHOWN + 1)
        return list(connection.execute(found).scalars())

    found = await database.run(work) if text else []
    if not found:
        raise UnknownRunError(f"there is no run '{text}'")
    first, others = found[0], found[1:]
    if first == text or all(other.startswith((f"{first}.", f"{first}~")) for other in others):
        return first
    raise RunStateError(f"'{text}' begins the ids of several runs: {join_names(found, limit=_SHOWN)}; say more of it")
