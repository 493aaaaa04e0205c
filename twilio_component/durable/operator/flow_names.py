"""The names of flows: of those that have runs, however many each has, and of those that are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from twilio_component.durable.store.schema import definitions, runs, served
from twilio_component.flows.parsing.reader import read_definition

if TYPE_CHECKING:
    from sqlalchemy import Select

_MOST = 200


def flow_names(connection: Connection) -> list[str]:
    """Return the names in alphabetical order, at most two hundred."""
    found: list[str] = []
    name = connection.execute(next_flow(None)).scalar_one()
    while name is not None and len(found) < _MOST:
        found.append(name)
        name = connection.execute(next_flow(name)).scalar_one()
    return found


def known_flows(connection: Connection) -> list[str]:
    """Return the names of the flows that have runs or are served, in alphabetical order."""
    return sorted({*served_flows(connection), *flow_names(connection)})


def served_flows(connection: Connection) -> set[str]:
    """Return the names of the flows that processes of this database serve."""
    rows = select(definitions.c.file, definitions.c.text).join(served, definitions.c.digest == served.c.definition)
    read = [read_definition(row.file, text=row.text).integration for row in connection.execute(rows)]
    return {flow.name for integration in read if integration is not None for flow in integration.flows}


def next_flow(name: str | None) -> Select[Any]:
    """Return the query for the first name after ``name``: a look into the index."""
    first = select(func.min(runs.c.flow))
    return first if name is None else first.where(runs.c.flow > name)
