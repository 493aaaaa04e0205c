"""The definition with which a run is run again: the one that it began with, or the one that is served now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.definition_changes import changes_before, keys_of
from twilio_component.durable.store.schema import definitions, items, journal, loops, served
from twilio_component.flows.model import find_flow
from twilio_component.flows.parsing.reader import load_integration
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.durable.operator.retry_plan import Definition, RetryPlan


def definition_for(connection: Connection, row: Row[Any], plan: RetryPlan, wanted: Definition) -> tuple[str, bool]:
    """The digest of the definition to use, and whether it is the one that is served now."""
    of_integration = select(served.c.definition).where(served.c.integration == row.integration)
    current = connection.execute(of_integration).scalar_one_or_none()
    if wanted == "began" or current == row.definition:
        return row.definition, current in (None, row.definition)
    if current is None:
        raise RunStateError(
            f"no definition of {row.integration} is served now; retry the run with the one it began with"
        )
    texts = {one.digest: one for one in connection.execute(select(definitions))}
    old, new = texts[row.definition], texts[current]
    flows = [load_integration(one.file, text=one.text) for one in (old, new)]
    if all(flow.name != row.flow for flow in flows[1].flows):
        raise RunStateError(f"the definition that is served now has no flow '{row.flow}'")
    before_it, now = (find_flow(one, row.flow) for one in flows)
    asked = {step.rpartition(".")[2] for step in plan.continued.values()}
    changes = changes_before(before_it, now, _kept_steps(connection, row, plan) | asked, may_change=asked)
    if changes:
        raise RunStateError(
            f"the run '{row.id}' has taken steps that have changed since: {join_names(changes, word='and')}. "
            "Retry it with the definition that it began with (--definition began)"
        )
    return current, True


def _kept_steps(connection: Connection, row: Row[Any], plan: RetryPlan) -> set[str]:
    """The keys of the steps whose results the new run keeps, or whose loops it continues with."""
    step_ids = {entry["step_id"] for entry in plan.entries if entry["ordinal"] >= 0}
    if plan.again:
        again = (loops.c.run == row.id, loops.c.ordinal.in_(plan.again))
        step_ids |= set(connection.execute(select(loops.c.step_id).where(*again)).scalars())
        of_items = select(items.c.id).where(items.c.run == row.id, items.c.ordinal.in_(plan.again))
        succeeded = (journal.c.run.in_(of_items), journal.c.is_failure.is_(False))
        step_ids |= set(connection.execute(select(journal.c.step_id).where(*succeeded).distinct()).scalars())
    return keys_of(step_ids)
