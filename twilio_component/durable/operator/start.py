"""Starts a run of a flow that is served, without an HTTP request."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.errors import DurableError
from twilio_component.durable.execution.queue_slots import queue_slot
from twilio_component.durable.execution.run_queue import RunQueue
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import definitions, served
from twilio_component.flows import Configuration
from twilio_component.host.errors import did_you_mean, join_names
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from twilio_component.durable.deployment import LoadedDefinition
    from twilio_component.durable.store.database import Database
    from twilio_component.flows.model import Flow
    from twilio_component.host import Host


async def start_run(
    database: Database,
    host: Host,
    flow: str,
    given: Mapping[str, Any],
    *,
    integration: str = "",
    preferred: str = "",
    run: str = "",
) -> str:
    """Store a run of a served flow and have it started; its id.

    ``given`` is the caller's part of the trigger's payload. The trigger is not asked, since nothing has to be verified,
    unless it polls. ``integration`` tells flows of one name apart, and so does the ``preferred`` one, if it has such a
    flow. A run with a known id, ``run``, is started once.
    Raises ``DurableError`` where no such flow is served, ``RequestBodyError`` for a request whose body cannot be
    parsed, ``StoreUnavailableError``.
    """
    queue = RunQueue(database)
    runs = RunStore(database, queue.put)
    deployment, definition, found = await _find(database, host, flow, integration, preferred)
    run = run or f"started-{uuid.uuid4().hex}"
    payload = deployment.payload(given, definition, found, run, iso_time(dt.datetime.now(dt.UTC)))
    component = host.components.get(found.trigger.component)
    trigger = component.triggers.get(found.trigger.action) if component is not None else None
    polls = trigger is not None and bool(trigger.options.get("polls"))
    envelope = None if polls else {"payload": payload}
    new = NewRun(
        id=run,
        definition=definition.digest,
        integration=definition.integration.name,
        flow=found.name,
        payload=payload,
        trigger=envelope,
        trigger_step=found.trigger.key,
        slot=queue_slot(definition, found, envelope),
    )
    is_queued = new.slot is not None
    is_new = await runs.accept(new, None if is_queued else lambda connection: queue.put(connection, [run]))
    return run if is_new else await runs.run_of(new)


async def _find(
    database: Database, host: Host, flow: str, integration: str, preferred: str
) -> tuple[Deployment, LoadedDefinition, Flow]:
    def work(connection: Connection) -> list[Any]:
        rows = select(served.c.public_url, definitions.c.file, definitions.c.text)
        return list(connection.execute(rows.join(definitions, definitions.c.digest == served.c.definition)))

    served_flows = [*_flows(await database.run(work), host)]
    integrations = sorted({one[1].integration.name for one in served_flows})
    if integration not in ("", *integrations):
        hint = did_you_mean(integration, integrations) or f" (served: {join_names(integrations)})"
        raise DurableError(f"no integration '{integration}' is served from this database{hint}")
    candidates = [one for one in served_flows if integration in ("", one[1].integration.name)]
    matching = [one for one in candidates if one[2].name == flow]
    matching = [one for one in matching if one[1].integration.name == preferred] or matching
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = join_names(sorted(one[1].integration.name for one in matching), word="or")
        raise DurableError(f"several integrations have a flow '{flow}': say which with --integration ({names})")
    names_of_flows = [one[2].name for one in candidates]
    hint = did_you_mean(flow, names_of_flows) or f" (served: {join_names(names_of_flows)})"
    raise DurableError(f"no flow '{flow}' is served from this database{hint}")


def _flows(rows: list[Any], host: Host) -> Iterator[tuple[Deployment, LoadedDefinition, Flow]]:
    for row in rows:
        deployment = Deployment(host, Configuration(), {}, public_url=row.public_url)
        definition = deployment.load(row.file, row.text)
        for flow in definition.integration.flows:
            yield deployment, definition, flow
