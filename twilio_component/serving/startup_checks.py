"""What a serving process refuses or warns of before its first request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.durable.alarm_receivers import check_command, check_flow
from twilio_component.durable.operator.flow_names import served_flows
from twilio_component.flows.model import all_steps
from twilio_component.host.errors import join_names
from twilio_component.host.inputs.messages import display_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twilio_component.durable.alarm_receivers import Receivers
    from twilio_component.durable.deployment import LoadedDefinition
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
