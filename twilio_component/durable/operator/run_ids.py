"""Ids of runs as people type them: their beginning is enough, where only one run has it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from twilio_component.durable import ids
from twilio_component.durable.errors import RunStateError, UnknownRunError
from twilio_component.durable.store.prefixes import begins_with
from twilio_component.durable.store.run_status import RETRIED
from twilio_component.durable.store.schema import runs
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

_SHOWN = 5
_SHORTEST = 12  # of 2 to the 48th: several runs hardly ever begin alike
_TAIL = re.compile(r"(.+?)((?:[~.]\d+(?:-\d+)?)+)", re.DOTALL)


async def find_run_id(database: Database, text: str) -> str:
    """Return the id of the run with this id, or of the only one whose id begins so.

    A beginning may be followed by the end of the id: ``web-1a~2`` is the second attempt at ``web-1a2b``. What a run has
    started or was retried as has an id that begins with the run's: then it is the run itself. Raises
    ``UnknownRunError`` for none and ``RunStateError`` for several.
    """
    text = text.strip()  # of a copy from a table
    found = await database.run(lambda connection: _beginning(connection, text)) if text else []
    if not found:
        raise UnknownRunError(f"there is no run '{text}'")
    first, others = found[0], found[1:]
    if first == text or all(other.startswith((f"{first}.", f"{first}~")) for other in others):
        return first
    raise RunStateError(f"'{text}' begins the ids of several runs: {join_names(found, limit=_SHOWN)}; say more of it")


def shorten(run: str, length: int) -> str:
    """Return the beginning of a run's id with its end (``~2``), in at most ``length`` characters if that is possible.

    ``find_run_id`` finds the run by it.
    """
    beginning, tail = _parts(run)
    return run if len(run) <= length else beginning[: max(length - len(tail), _SHORTEST)] + tail


def count_retries(connection: Connection, run: str) -> int:
    """Return how many runs have been begun to run this one again."""
    retries = begins_with(connection, runs.c.id, ids.retry_prefix(run))
    return connection.execute(select(func.count()).select_from(runs).where(retries)).scalar_one()


def retried_as(connection: Connection, run: str) -> str | None:
    """Return the id of the run that has taken the place of this one, if it is still stored."""
    retries = begins_with(connection, runs.c.id, ids.retry_prefix(run))
    chosen = select(runs.c.id).where(retries).order_by(func.length(runs.c.id), runs.c.id).limit(1)
    return connection.execute(chosen).scalar_one_or_none()


def wrong_state(connection: Connection, run: str, state: str, allowed: Sequence[str]) -> RunStateError:
    """Return the error of an operation that a run's ``state`` does not allow, with the states that would."""
    again = retried_as(connection, run) if state == RETRIED else None
    known = f"was run again as '{again}'" if again is not None else f"is {state}"
    return RunStateError(f"the run '{run}' {known}, but must be {join_names(allowed, word='or')} for this")


def _parts(run: str) -> tuple[str, str]:
    """What the id begins with, and ``~2``, ``.5`` or several of them, with which it may end."""
    found = _TAIL.fullmatch(run)
    return (found[1], found[2]) if found else (run, "")


def _beginning(connection: Connection, text: str) -> list[str]:
    """The ids that begin so, the shortest first: a run comes before what belongs to it."""
    chosen = select(runs.c.id).order_by(func.length(runs.c.id), runs.c.id).limit(_SHOWN + 1)
    found = list(connection.execute(chosen.where(begins_with(connection, runs.c.id, text))).scalars())
    beginning, tail = _parts(text)
    if found or not tail:
        return found
    ends = begins_with(connection, runs.c.id, beginning) & runs.c.id.endswith(tail, autoescape=True)
    return [run for run in connection.execute(chosen.where(ends)).scalars() if _parts(run)[1] == tail]
