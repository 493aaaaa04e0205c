"""What a run that is run again keeps of the one before, and where it continues."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.asked_questions import asked_by, received_questions
from twilio_component.durable.operator.item_selection import (
    ItemSelection,
    describe_no_items,
    has_open_calls,
    loops_of,
    unfinished_loops,
)
from twilio_component.durable.operator.journal_replay import (
    before,
    before_the_failure,
    entries_of,
    next_call,
)
from twilio_component.durable.operator.started_flows import have_acted_after, in_the_way_of_step
from twilio_component.durable.store import run_status
from twilio_component.flows.interpreter.ends import ITEMS_FAILED

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

Definition = Literal["began", "current"]
"""The definition with which a run is run again: the one that it began with, or the one that is served now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How runs are run again.

    ``resend`` says that unknown outcomes did not happen. ``items`` are those of the run's lists that are tried again;
    None chooses those that failed where nothing else did. ``definition`` is ``began`` or ``current``.
    """

    resend: bool = False
    items: ItemSelection | None = None
    definition: Definition = "began"


@dataclass(slots=True)
class RetryPlan:
    """What a run that is run again keeps of the one before, and which of its loops are tried again.

    ``repeated_from`` is the first of its own calls that it makes anew, if it makes any. ``continued`` are those of them
    that asked people, who have received some of the texts.
    """

    entries: Sequence[Mapping[str, Any]]
    again: list[int] = field(default_factory=list)
    selection: ItemSelection | None = None
    last_call: int | None = None
    repeated_from: int | None = None
    continued: Mapping[int, str] = field(default_factory=dict)

    @property
    def first_call(self) -> int:
        """The number of the first call, or loop, that the new run continues with."""
        return max([next_call(self.entries), *self.again])


def plan_retry(connection: Connection, row: Row[Any], how: Retry) -> RetryPlan:
    """What of a run is kept, and what is tried again; raises ``RunStateError`` when it cannot be run again so."""
    selection = how.items or _selection_for(row)
    is_unknown = row.state == run_status.UNKNOWN and (selection is None or selection.state == run_status.UNKNOWN)
    if not how.resend and (is_unknown or has_open_calls(connection, row.id)):
        raise RunStateError(
            f"the outcome of the run '{row.id}' is unknown: find out whether it happened. If it did not, retry "
            "it with --resend; if it did, resolve it"
        )
    entries = entries_of(connection, row.id)
    if selection is None:
        return _plan_from_the_step(connection, row, how, entries)
    chosen = loops_of(connection, row.id, selection)
    if selection.inputs and len(chosen) > 1:
        # They name a recipient, perhaps, and everybody of that number would get it.
        raise RunStateError(
            f"{len(chosen)} lists of the run '{row.id}' have such an item, and other inputs are for one: retry the "
            "items with the inputs of the flow"
        )
    if row.state == run_status.LIST_STOPPED or not chosen:
        chosen = sorted({*chosen, *unfinished_loops(connection, row.id)})
    if not chosen:
        raise RunStateError(describe_no_items(connection, row.id, selection))
    return _plan_of_loops(connection, row, entries, chosen, selection, may_end_early=True)


def _selection_for(row: Row[Any]) -> ItemSelection | None:
    """The items that are tried again where none are named: those that failed, unless the run itself failed."""
    code = json.loads(row.error)["code"] if row.error else ""
    by_items = row.state in (run_status.PARTLY_FAILED, run_status.LIST_STOPPED) or code == ITEMS_FAILED
    return ItemSelection() if by_items and row.state != run_status.UNKNOWN else None


def _plan_from_the_step(
    connection: Connection, row: Row[Any], how: Retry, entries: Sequence[Mapping[str, Any]]
) -> RetryPlan:
    """Continue from the step that failed, or from the first loop with unknown outcomes."""
    unknown = ItemSelection(state=run_status.UNKNOWN)
    open_loops = sorted({*loops_of(connection, row.id, unknown), *unfinished_loops(connection, row.id)})
    if open_loops:
        selection = unknown if how.resend else ItemSelection(number=-1)
        return _plan_of_loops(connection, row, entries, open_loops[:1], selection, may_end_early=False)
    kept = before_the_failure(row.id, entries, asked_by(connection, row.id))
    repeated = next_call(kept)
    flow = in_the_way_of_step(connection, row.id, repeated)
    if flow is not None:
        raise RunStateError(f"the step that would be repeated started the run '{flow.id}', which {flow.what_works}")
    continued = received_questions(connection, row.id, kept)
    return RetryPlan(kept, last_call=row.last_call, repeated_from=repeated, continued=continued)


def _plan_of_loops(
    connection: Connection,
    row: Row[Any],
    entries: Sequence[Mapping[str, Any]],
    chosen: list[int],
    selection: ItemSelection,
    *,
    may_end_early: bool,
) -> RetryPlan:
    """Continue from the first of these loops; where what followed must not be done twice, do no more than the loops."""
    if not have_acted_after(connection, row.id, chosen[0]):
        kept = before(chosen[0], entries)
        return RetryPlan(kept, chosen[:1], selection, row.last_call, repeated_from=chosen[0] + 1)
    if not may_end_early:
        raise RunStateError(
            f"the run '{row.id}' continued after a loop with unknown outcomes and did something that must not be done "
            "twice, or started a flow that may still do so; retry its items alone with --items unknown --resend, or "
            "resolve it"
        )
    kept = [one for one in before(chosen[-1], entries) if one["ordinal"] not in chosen]
    return RetryPlan(kept, chosen, selection, chosen[-1])
