"""The definition with which a run is run again: the one that it began with, or the one that is served now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.definition_changes import changes_before, keys_of
from twilio_component.durable.store.run_status import SUCCEEDED
from twilio_component.durable.store.schema import definitions, items, journal, loops, served
from twilio_component.flows.model import all_steps, find_flow
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
    gone = _steps_given_inputs(connection, row, plan) - {step.key for step in all_steps(now.steps)}
    if gone:
        raise RunStateError(
            f"an item was given inputs for the step {join_names(map(repr, sorted(gone)), word='and')}, which the "
            "definition that is served now does not have, so they would be lost. Retry the run with the definition "
            "that it began with (--definition began)"
        )
    return current, True


def _steps_given_inputs(connection: Connection, row: Row[Any], plan: RetryPlan) -> set[str]:
    """The keys of the steps for which operators have given inputs, now or before, of items that are tried again."""
    of_loops = (items.c.run == row.id, items.c.ordinal.in_(plan.again), items.c.state != SUCCEEDED)
    found = connection.execute(select(items.c.inputs).where(*of_loops, items.c.inputs.is_not(None))).scalars()
    step_ids = {json.loads(inputs)["step"] for inputs in found}
    if plan.selection is not None and plan.selection.inputs:
        failed = select(items.c.error).where(*plan.selection.conditions(row.id), items.c.error.is_not(None))
        step_ids |= {json.loads(error)["id"] for error in connection.execute(failed).scalars()}
    return {step_id.rpartition(".")[2] for step_id in step_ids}


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
