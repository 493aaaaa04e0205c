"""What a process that executes runs refuses or warns of before it begins."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from twilio_component.durable.alarm_receivers import check_command, check_flow
from twilio_component.durable.operator.flow_names import served_flows
from twilio_component.durable.store.run_status import LIST_STOPPED, PAUSED, QUEUED, RUNNING
from twilio_component.durable.store.schema import definitions, runs
from twilio_component.flows.model import all_steps
from twilio_component.host.errors import InputError, IntegrationError, join_names
from twilio_component.host.inputs.messages import display_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from twilio_component.durable.alarm_receivers import Receivers
    from twilio_component.durable.deployment import Deployment, LoadedDefinition
    from twilio_component.durable.settings import Settings
    from twilio_component.durable.store.database import Database
    from twilio_component.flows.send_order import SendOrder


def check_receivers(receivers: Receivers | None, definitions: Iterable[LoadedDefinition], *, is_alone: bool) -> None:
    """Raise ``InputError`` for a command that does not exist, or a flow that nobody serves.

    A process that ``is_alone`` knows that; another one may serve the flow of one that is not.
    """
    check_command(receivers)
    if is_alone:
        check_flow(receivers, _flows(definitions))


async def warn_of_flow(
    receivers: Receivers | None,
    definitions: Iterable[LoadedDefinition],
    database: Database,
    report: Callable[[str], None],
) -> None:
    """Report that no process of this database serves the flow that is to get the alarms."""
    if receivers is None or not receivers.flow or receivers.flow in _flows(definitions):
        return
    if receivers.flow not in await database.run(served_flows):
        report(
            f"warning: onFailure.flow: no process serves a flow '{receivers.flow}' from this database yet, and until "
            "one does, alarms do not reach it"
        )


async def warn_of_earlier_runs(
    deployment: Deployment,
    served: Iterable[LoadedDefinition],
    database: Database,
    report: Callable[[str], None],
) -> None:
    """Report connections that only unfinished runs of earlier definitions need and that the deployment does not give.

    Such a run goes on with the definition that it began with.
    """
    for file, text, count in await database.run(partial(_open_definitions, known=[one.digest for one in served])):
        try:
            deployment.check_connections(deployment.load(file, text))
        except IntegrationError as error:
            problems = "; ".join(map(str, error.problems)) if isinstance(error, InputError) else str(error)
            report(
                f"warning: {count} unfinished run{'s' * (count > 1)} of an earlier {file} will fail where a step needs "
                f"what is not there any more: {problems}"
            )


def _open_definitions(connection: Connection, known: Sequence[str]) -> list[tuple[str, str, int]]:
    """File and text of the definitions, other than those known, that unfinished runs began with, and their number."""
    is_open = (runs.c.state.in_((RUNNING, QUEUED, PAUSED, LIST_STOPPED)), runs.c.definition.not_in(known))
    open_runs = select(runs.c.definition, func.count().label("number")).where(*is_open)
    counts = open_runs.group_by(runs.c.definition).subquery()
    found = select(definitions.c.file, definitions.c.text, counts.c.number)
    rows = connection.execute(found.join(counts, counts.c.definition == definitions.c.digest))
    return [(row.file, row.text, row.number) for row in rows]


def warn_of_order(settings: Settings, definitions: Iterable[LoadedDefinition], report: Callable[[str], None]) -> None:
    """Report, for a process without callbacks, the orders that wait for deliveries of which it will not hear."""
    waiting = [name for name, order in _orders(settings, definitions) if order.after_delivery]
    if waiting:
        report(
            f"warning: order: {{after: delivery}} of {join_names(waiting)} needs --public-url, at which Twilio reports "
            "deliveries: without it each message to a person waits atMost after the one before"
        )


def _orders(settings: Settings, definitions: Iterable[LoadedDefinition]) -> Iterator[tuple[str, SendOrder]]:
    for one in definitions:
        for flow in one.integration.flows:
            for step in all_steps(flow.steps):
                if step.order is not None:
                    yield f"'{step.name}' of {flow.name}", step.order
    for sender, order in settings.orders.items():
        yield f"the sender {display_key(sender)}", order


def _flows(definitions: Iterable[LoadedDefinition]) -> set[str]:
    return {flow.name for one in definitions for flow in one.integration.flows}
