"""Which items of a run's loops are tried again, and how far the run has to go back for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from twilio_component.durable.sending.intents import CLAIMED, IN_DOUBT
from twilio_component.durable.store.item_ends import PENDING
from twilio_component.durable.store.run_status import FAILED, UNKNOWN
from twilio_component.durable.store.schema import intents, items, loops
from twilio_component.host.errors import join_names

_MOST_CODES = 10
_WORDS = {"succeeded": "has succeeded", FAILED: "has failed", UNKNOWN: "is unknown", PENDING: "has not been tried"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSelection:
    """Selects the items of a run's loops in the ``state`` ``failed`` or ``unknown``.

    Only those that failed with this ``code``, ended at or after ``since`` (seconds since 1970), or have this ``number``
    in their loop (from 0). ``inputs`` replace inputs of the step at which the item failed.
    """

    state: str = FAILED
    code: str | None = None
    since: float | None = None
    number: int | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def conditions(self, run: str) -> Iterator[Any]:
        """The conditions that these items of a run meet."""
        yield items.c.run == run
        yield items.c.state == self.state
        if self.code is not None:
            yield items.c.code == self.code
        if self.since is not None:
            yield items.c.finished_at >= self.since
        if self.number is not None:
            yield items.c.number == self.number


def loops_of(connection: Connection, run: str, selection: ItemSelection) -> list[int]:
    """The ordinals of the run's loops that have selected items."""
    found = select(items.c.ordinal).where(*selection.conditions(run)).distinct().order_by(items.c.ordinal)
    return list(connection.execute(found).scalars())


def describe_no_items(connection: Connection, run: str, selection: ItemSelection) -> str:
    """Why the selection is empty: how its item ended instead, or which items of that kind there are."""
    of_run = items.c.run == run
    wanted = _state_and_code(selection.state, selection.code)
    if selection.number is None:
        codes = select(items.c.code).where(of_run, items.c.state == selection.state).distinct().order_by(items.c.code)
        there_are = [str(code) for code in connection.execute(codes.limit(_MOST_CODES)).scalars()]
        hint = f" ({selection.state} are items with {join_names(there_are)})" if there_are else ""
        return f"no item of the run '{run}' is {wanted}{hint}"
    ended = connection.execute(
        select(items.c.state, items.c.code).where(of_run, items.c.number == selection.number)
    ).first()
    if ended is not None:
        found = _state_and_code(_WORDS.get(ended.state, ended.state), ended.code if ended.state == FAILED else None)
        hint = ""
        if (ended.state, selection.state) == (UNKNOWN, FAILED):
            option = f"--items unknown --item {selection.number} --resend"
            hint = f"; once you know that its message was not sent, choose it with {option}"
        return f"item {selection.number} of the run '{run}' {found}, not {wanted}{hint}"
    taken = connection.execute(select(func.max(loops.c.taken)).where(loops.c.run == run)).scalar_one()
    there_are_items = f"its items are 0 to {taken - 1:,}" if taken else "it has no list of which items were taken"
    return f"the run '{run}' has no item {selection.number}: {there_are_items}"


def _state_and_code(state: str, code: str | None) -> str:
    return state if code is None else f"{state} with the code {code}"


def unfinished_loops(connection: Connection, run: str) -> list[int]:
    """The ordinals of the run's loops that have not ended: items are left, or could not be had."""
    found = select(loops.c.ordinal).where(loops.c.run == run, loops.c.finished_at.is_(None))
    return list(connection.execute(found.order_by(loops.c.ordinal)).scalars())


def has_open_calls(connection: Connection, run: str) -> bool:
    """Whether a call of the run itself was under way when it failed, so that its outcome is unknown."""
    own = (intents.c.run == run, intents.c.item.is_(None), intents.c.state.in_((CLAIMED, IN_DOUBT)))
    is_unproven = intents.c.resource_id.is_(None)
    return connection.execute(select(intents.c.key).where(*own, is_unproven).limit(1)).one_or_none() is not None
