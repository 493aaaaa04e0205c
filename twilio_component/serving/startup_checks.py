"""What a serving process refuses or warns of before its first request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.durable.alarm_receivers import check_command, check_flow
from twilio_component.durable.operator.flow_names import served_flows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twilio_component.durable.alarm_receivers import Receivers
    from twilio_component.durable.deployment import LoadedDefinition
    from twilio_component.durable.store.database import Database


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


def _flows(definitions: Iterable[LoadedDefinition]) -> set[str]:
    return {flow.name for one in definitions for flow in one.integration.flows}
