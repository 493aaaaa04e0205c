"""The alarms of a process, as its configuration wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.durable.alarms.delivery import Alarms
from twilio_component.durable.alarms.store import AlarmStore
from twilio_component.durable.operator.start import start_run

if TYPE_CHECKING:
    from twilio_component.durable.alarm_receivers import Receivers
    from twilio_component.durable.store.database import Database
    from twilio_component.host import Host


def alarms_of(database: Database, host: Host, receivers: Receivers | None) -> Alarms | None:
    """The alarms of this process; None without a receiver."""
    if receivers is None:
        return None

    async def start_flow(flow: str, run: str, data: dict[str, Any]) -> None:
        given = {"body": {"data": data, "contentType": "application/json"}}
        await start_run(database, host, flow, given, preferred=data["integration"], run=run)

    return Alarms(AlarmStore(database), receivers, start_flow)
