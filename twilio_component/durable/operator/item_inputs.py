"""Checks the inputs that an operator gives an item instead of those of the flow, before anything is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.item_selection import describe_no_items
from twilio_component.durable.store.schema import definitions, items, runs
from twilio_component.flows.model import all_steps, find_flow
from twilio_component.flows.parsing.reader import load_integration
from twilio_component.host.errors import InputError, Problem, did_you_mean, join_names

if TYPE_CHECKING:
    from twilio_component.durable.operator.item_selection import ItemSelection
    from twilio_component.durable.store.database import Database
    from twilio_component.host import Host


async def check_item_inputs(
    database: Database, host: Host, run: str, selection: ItemSelection, *, label: str = "--set "
) -> None:
    """Check that the failed step of the selected item has inputs of these names.

    ``label`` stands before a name that is wrong. Raises ``InputError`` with the names that it has, ``RunStateError``
    where no such item failed, and
    ``StoreUnavailableError``.
    """

    def work(connection: Connection) -> Any:
        failed = select(items.c.error).where(*selection.conditions(run), items.c.error.is_not(None)).limit(1)
        error = connection.execute(failed).scalar_one_or_none()
        if error is None:
            raise RunStateError(describe_no_items(connection, run, selection))
        definition = select(runs.c.flow, definitions.c.file, definitions.c.text).join(definitions)
        return error, connection.execute(definition.where(runs.c.id == run)).one()

    error, row = await database.run(work)
    step_id = json.loads(error)["id"]
    flow = find_flow(load_integration(row.file, text=row.text), row.flow)
    key = step_id.rpartition(".")[2]
    step = next((one for one in all_steps(flow.steps) if one.key == key), None)
    component = host.components.get(step.component) if step is not None else None
    action = component.actions.get(step.action) if component is not None and step is not None else None
    if action is None:
        raise RunStateError(f"item {selection.number} failed at {step_id or 'no step'}, which has no inputs to set")
    known = list(action.inputs["properties"])
    problems = [
        Problem(
            f"{label}{name}",
            f"is not an input of {key}{did_you_mean(name, known) or f' (it has: {join_names(known)})'}",
        )
        for name in selection.inputs
        if name not in known
    ]
    if problems:
        raise InputError("The inputs are not valid", problems)
