"""What flows keep between executions, and what a trigger is shown of it.

A trigger may remember: which messages a poll has told, how far each message has come. Such a memory is of use only
while it is right. So what a trigger changes is stored together with its answer, and only if all of it is still as it
was shown. If not, the trigger is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, update

from twilio_component.durable.errors import StateConflictError
from twilio_component.durable.store.schema import stored_state
from twilio_component.durable.store.upsert import insert_once, written
from twilio_component.host.state_file import apply_changes

if TYPE_CHECKING:
    from twilio_component.durable.store.runs import Also
    from twilio_component.flows.model import Flow, Integration

StoredState = Mapping[str, Mapping[str, Any]]
"""By their names in the field (``instanceState`` …), what is kept under which keys."""


def scopes_of(integration: Integration, flow: Flow) -> dict[str, str]:
    """Where the states of a flow's executions are kept, by their names in the field."""
    return {
        "instanceState": f"{integration.name}/{flow.name}",
        "crossFlowState": f"{integration.name}//cross-flow",
        "integrationState": f"{integration.name}//integration",
    }


@dataclass(frozen=True, slots=True)
class Change:
    """What a trigger's answer changes of the states that the trigger was shown."""

    scopes: Mapping[str, str]
    shown: StoredState
    envelope: Mapping[str, Any]

    @property
    def to_make(self) -> Also | None:
        """What makes the change, unless there is none; raises ``StateConflictError`` when something is not as shown."""
        return self._make if any(self.envelope.get(name) for name in self.scopes) else None

    def _make(self, connection: Connection) -> None:
        # In one order in all processes, so that no two wait for each other.
        for name, scope in sorted(self.scopes.items()):
            for key, value in sorted((self.envelope.get(name) or {}).items()):
                if not _changed(connection, (scope, key), self.shown[name].get(key), value):
                    raise StateConflictError(f"what is kept under {key} is not what it was")


def after(states: StoredState, envelope: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The states as a trigger's answer leaves them: what has been kept already."""
    return {name: apply_changes(kept, envelope.get(name) or {}) for name, kept in states.items()}


def _changed(connection: Connection, key: tuple[str, str], shown: Any, value: Any) -> bool:
    """Put the value in the place of the one that was shown; null is no value. False when there is another one."""
    scope, name = key
    if shown is None:
        row = {"scope": scope, "name": name, "value": written(value)}
        return value is None or insert_once(connection, stored_state, row)
    as_shown = (
        stored_state.c.scope == scope,
        stored_state.c.name == name,
        stored_state.c.value == written(shown),
    )
    if value is None:
        return connection.execute(delete(stored_state).where(*as_shown)).rowcount == 1
    return connection.execute(update(stored_state).where(*as_shown).values(value=written(value))).rowcount == 1
