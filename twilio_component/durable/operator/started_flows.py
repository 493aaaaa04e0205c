"""Flows that a run started, when the run is tried again: what they did, or may still do, must not be done twice.

A flow stands in the way when it, or anything below it, has a call that may have happened, or can still continue: it is
queued, running, paused, or its list stopped. One that did nothing and has ended or was cancelled gives its place to the
flow that is started anew: it becomes ``retried``, so that nobody resumes it or runs it again beside that one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, or_, select

from twilio_component.durable import ids
from twilio_component.durable.store.acts import GO_ON, MAY_HAVE_HAPPENED
from twilio_component.durable.store.prefixes import begins_with
from twilio_component.durable.store.replaced_flows import give_place, giving_place
from twilio_component.durable.store.run_status import QUEUED, RUNNING
from twilio_component.durable.store.schema import intents, runs

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


class StartedFlow(NamedTuple):
    """A flow that stands in the way of a retry; ``acted`` when a call of it may have happened, else it is in ``state``.

    The state is empty when the run is not stored.
    """

    id: str
    state: str
    acted: bool

    @property
    def what_works(self) -> str:
        """What the flow did or may do and what an operator can do instead, after "the run 'one.1', which"."""
        if self.acted:
            return "did something that must not be done twice; retry that run instead"
        if self.state in (QUEUED, RUNNING):
            return f"is {self.state} and may still act: wait until it has ended, or cancel it, then retry this run"
        return f"is {self.state} and may still act: resume it, or cancel it and then retry this run"


def in_the_way(connection: Connection, prefixes: Collection[str], flow: str | None = None) -> list[StartedFlow]:
    """The flows in the way of a retry whose ids begin with one of these; ``flow`` is one more by its whole id.

    Those that acted come first.
    """

    def below(column: ColumnElement[Any]) -> ColumnElement[bool]:
        whole = [] if flow is None else [column == flow]
        return or_(*whole, *(begins_with(connection, column, prefix) for prefix in prefixes))

    acted = select(intents.c.run).where(below(intents.c.run), MAY_HAVE_HAPPENED).distinct()
    going_on = select(runs.c.id, runs.c.state).where(below(runs.c.id), runs.c.state.in_(GO_ON))
    return [
        *(StartedFlow(run, "", acted=True) for run in connection.execute(acted).scalars()),
        *(StartedFlow(row.id, row.state, acted=False) for row in connection.execute(going_on)),
    ]


def in_the_way_of_step(connection: Connection, run: str, ordinal: int) -> StartedFlow | None:
    """The flow in the way of a retry that repeats this call of the run, of this attempt at it or of one before."""
    for attempt in ids.lineage(run):
        flow = ids.child_id(attempt, ordinal)
        found = in_the_way(connection, (ids.descendant_prefix(flow), ids.retry_prefix(flow)), flow)
        if found:
            return found[0]
    return None


def have_acted_after(connection: Connection, run: str, ordinal: int) -> bool:
    """Whether something is in the way of repeating the later calls of a run: a call of its own, or what they started.

    Those of the runs whose place it has taken count, too.
    """
    for attempt in ids.lineage(run):
        of_run = (intents.c.run == attempt, MAY_HAVE_HAPPENED)
        own = connection.execute(select(intents.c.key).where(*of_run)).scalars()
        started = (flow.id for flow in in_the_way(connection, (ids.descendant_prefix(attempt),)))
        if any(ids.ordinal_within(attempt, key) > ordinal for keys in (own, started) for key in keys):
            return True
    return False


def give_place_from(connection: Connection, run: str, ordinal: int) -> None:
    """Let the flows that the calls of a run started, from this one on, give their places to those of its retry."""
    for attempt in ids.lineage(run):
        found = giving_place(connection, ids.descendant_prefix(attempt))
        give_place(connection, (flow for flow in found if ids.ordinal_within(attempt, flow) >= ordinal))
