"""The state that flows store between executions, and the changes that a trigger makes to it.

A trigger may remember which messages a poll has reported, or how far each message has come. That memory is only useful
while it is right. So a trigger's changes are stored in one transaction with its result, and only if everything that it
changes is still what it was shown. Otherwise the trigger is asked again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from twilio_component.durable.errors import StateConflictError
from twilio_component.durable.ids import flow_id
from twilio_component.durable.store.schema import stored_state
from twilio_component.durable.store.upsert import insert_once, replace_row, to_json
from twilio_component.host import state_file

InTransaction = Callable[[Connection], None]
"""Work that is done in another one's transaction; when it raises, nothing of the transaction is kept."""

StoredState = Mapping[str, Mapping[str, Any]]
"""The values by key, by the name under which a component knows the state (``instanceState`` …)."""


def scopes_of(integration: str, flow: str) -> dict[str, str]:
    """The scopes in which the stored state of a flow is kept, by the names that components know them by."""
    return {
        "instanceState": flow_id(integration, flow),
        "crossFlowState": f"{integration}//cross-flow",
        "integrationState": f"{integration}//integration",
    }


@dataclass(frozen=True, slots=True)
class StateChange:
    """The changes that a trigger's result makes to the stored state that the trigger was shown."""

    scopes: Mapping[str, str]
    shown: StoredState
    envelope: Mapping[str, Any]

    @property
    def in_transaction(self) -> InTransaction | None:
        """The work that makes the changes, or None without changes.

        It raises ``StateConflictError`` when something is no longer as it was shown.
        """
        return self._apply if any(self.envelope.get(name) for name in self.scopes) else None

    def _apply(self, connection: Connection) -> None:
        # All processes write in the same order, so that no two wait for each other.
        for name, scope in sorted(self.scopes.items()):
            for key, value in sorted((self.envelope.get(name) or {}).items()):
                if not _replace(connection, (scope, key), self.shown[name].get(key), value):
                    raise StateConflictError(f"the stored value of {key} has changed")


def apply_changes(state: StoredState, envelope: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The stored state as a trigger's result leaves it."""
    return {name: state_file.apply_changes(values, envelope.get(name) or {}) for name, values in state.items()}


_OF_SCOPES = select(stored_state).where(stored_state.c.scope.in_(bindparam("scopes", expanding=True)))


def read_state(connection: Connection, wanted: Sequence[Mapping[str, str]]) -> list[dict[str, dict[str, Any]]]:
    """For each mapping of names to scopes, the stored values by key, by name."""
    all_scopes = {scope for scopes in wanted for scope in scopes.values()}
    rows: dict[str, list[Any]] = {scope: [] for scope in all_scopes}
    for row in connection.execute(_OF_SCOPES, {"scopes": sorted(all_scopes)}):
        rows[row.scope].append(row)
    # Each caller gets objects of its own: none may see what another one does with them.
    return [
        {name: {row.name: json.loads(row.value) for row in rows[scope]} for name, scope in scopes.items()}
        for scopes in wanted
    ]


def store_changes(connection: Connection, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Store what flows have changed, by scope and key; None removes a key."""
    for scope, values in changes.items():
        for name, value in values.items():
            store_value(connection, scope, name, value)


def store_value(connection: Connection, scope: str, name: str, value: Any) -> None:
    """Store a value under a key; None removes the key."""
    if value is None:
        connection.execute(delete(stored_state).where(stored_state.c.scope == scope, stored_state.c.name == name))
    else:
        row = {"scope": scope, "name": name, "value": to_json(value)}
        replace_row(connection, stored_state, row, key=("scope", "name"))


def _replace(connection: Connection, key: tuple[str, str], shown: Any, value: Any) -> bool:
    """Replace the value that was shown (None for no value); False when another one is stored."""
    scope, name = key
    if shown is None:
        row = {"scope": scope, "name": name, "value": to_json(value)}
        return value is None or insert_once(connection, stored_state, row)
    as_shown = (
        stored_state.c.scope == scope,
        stored_state.c.name == name,
        stored_state.c.value == to_json(shown),
    )
    if value is None:
        return connection.execute(delete(stored_state).where(*as_shown)).rowcount == 1
    return connection.execute(update(stored_state).where(*as_shown).values(value=to_json(value))).rowcount == 1
