"""The items of a loop by state and code, each kind from the index in the order of their numbers.

An index on state, code and number has the items of one state and one code in their order. Those of several codes are
several *strands*, which are put together; reading them all to sort them would take seconds for a long list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from twilio_component.durable.fanout.store import ITEM_STATES
from twilio_component.durable.store.schema import items

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from twilio_component.durable.fanout.store import LoopKey


class Strand(NamedTuple):
    """Items of one state and one code (None for those without); of every state and code when the state is None."""

    state: str | None
    code: str | None


def strands_of(connection: Connection, key: LoopKey, state: str | None, code: str | None) -> list[Strand]:
    """The strands that make up the items of this ``state`` and ``code``, of each where it is None."""
    if state is None and code is None:
        return [Strand(None, None)]
    states = ITEM_STATES if state is None else (state,)
    if code is not None:
        return [Strand(one, code) for one in states]
    return [Strand(one, known) for one in states for known in (None, *_codes(connection, key, one))]


def items_of_strand(key: LoopKey, strand: Strand, after: int, limit: int) -> Select[Any]:
    """The items of the strand whose number is greater than ``after``, in their order."""
    chosen = select(items).where(*_of(key), items.c.number > after).order_by(items.c.number).limit(limit)
    if strand.state is None:
        return chosen
    return chosen.where(items.c.state == strand.state, items.c.code == strand.code)


def next_code(key: LoopKey, state: str, after: str) -> Select[Any]:
    """The first code of the items of this state that comes after that one."""
    return select(func.min(items.c.code)).where(*_of(key), items.c.state == state, items.c.code > after)


def _codes(connection: Connection, key: LoopKey, state: str) -> list[str]:
    found: list[str] = []
    while (code := connection.execute(next_code(key, state, found[-1] if found else "")).scalar_one()) is not None:
        found.append(code)
    return found


def _of(key: LoopKey) -> tuple[Any, Any]:
    return items.c.run == key.run, items.c.ordinal == key.ordinal
