"""What registered triggers remember: stored at once, and changed by one process at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, select, update

from twilio_component.durable.errors import StateConflictError
from twilio_component.durable.store.schema import registrations
from twilio_component.durable.store.upsert import insert_once, to_json

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What the trigger of a flow remembers of its registration; ``version`` is 0 for one that is not stored.

    ``definition`` is the digest of the definition with which it was registered, and ``claims`` one of the numbers or
    services that its trigger named, None for none.
    """

    integration: str
    flow: str
    definition: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    claims: str | None = None


class RegistrationStore:
    """Reads and writes registrations. Every method raises ``StoreUnavailableError`` while the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, integration: str, flow: str) -> Registration:
        """The registration of a flow; one of version 0 when none is stored."""
        found = [one for one in await self.all() if (one.integration, one.flow) == (integration, flow)]
        return found[0] if found else Registration(integration=integration, flow=flow)

    async def all(self) -> list[Registration]:
        """All registrations, by integration and flow."""

        def work(connection: Connection) -> list[Registration]:
            ordered = select(registrations).order_by(registrations.c.integration, registrations.c.flow)
            return [_registration_from(row) for row in connection.execute(ordered)]

        return await self._database.run(work)

    async def save(self, known: Registration, state: Mapping[str, Any]) -> Registration:
        """Replace the state of the registration ``known``; an empty state deletes it. The registration as stored.

        Raises ``StateConflictError`` when another process has changed it.
        """
        updated = replace(known, state=state, version=known.version + 1)

        def work(connection: Connection) -> bool:
            key = {"integration": known.integration, "flow": known.flow}
            row = _row(updated)
            if known.version == 0:
                return not state or insert_once(connection, registrations, {**key, **row})
            table = registrations.c
            as_known = (table.integration == known.integration, table.flow == known.flow)
            change = update(registrations).values(**row) if state else delete(registrations)
            return connection.execute(change.where(*as_known, table.version == known.version)).rowcount == 1

        if not await self._database.run(work):
            raise _conflict(known)
        return updated if state else replace(known, state={}, version=0)

    async def move(self, moves: Sequence[tuple[Registration, Registration]]) -> None:
        """Replace registrations by those of other flows, all of them at once: ``(known, new)``.

        Raises ``StateConflictError``, and changes nothing, when another process has changed one of them.
        """
        table = registrations.c
        version = 1 + max((known.version for known, _ in moves), default=0)  # none that anybody has seen

        def work(connection: Connection) -> None:
            for known, _ in moves:
                as_known = (table.integration == known.integration, table.flow == known.flow)
                removing = delete(registrations).where(*as_known, table.version == known.version)
                if connection.execute(removing).rowcount != 1:
                    raise _conflict(known)
            for _, new in moves:
                key = {"integration": new.integration, "flow": new.flow}
                if not insert_once(connection, registrations, {**key, **_row(replace(new, version=version))}):
                    raise _conflict(new)

        await self._database.run(work)


def _conflict(one: Registration) -> StateConflictError:
    return StateConflictError(f"another process has registered {one.flow} in the meantime")


def _row(one: Registration) -> dict[str, Any]:
    kept = {"definition": one.definition, "version": one.version, "claims": one.claims}
    return {**kept, "state": to_json(one.state)}


def _registration_from(row: Row[Any]) -> Registration:
    return Registration(
        integration=row.integration,
        flow=row.flow,
        definition=row.definition,
        state=json.loads(row.state),
        version=row.version,
        claims=row.claims,
    )
