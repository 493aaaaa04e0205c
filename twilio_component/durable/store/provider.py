"""Whether the runs of a database send by real connections or to an emulator: they must not continue with the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from twilio_component.durable.errors import DurableError
from twilio_component.durable.store.flow_state import store_value
from twilio_component.durable.store.schema import runs, stored_state

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SCOPE, _NAME = "//provider", "is-emulated"  # no scope of a flow begins like this, since integrations have names
_REFUSALS = {
    True: "the runs of this database began with the emulator, and must not continue with real connections: serve it "
    "with --emulator, or give another --database",
    False: "the runs of this database began with real connections, and must not continue with the emulator: give "
    "another --database with --emulator",
}


def keep_to_provider(connection: Connection, *, is_emulated: bool) -> None:
    """Note what the runs of this database send to; raises ``DurableError`` when it has runs that send to the other."""
    key = (stored_state.c.scope == _SCOPE, stored_state.c.name == _NAME)
    found = connection.execute(select(stored_state.c.value).where(*key)).scalar_one_or_none()
    was_emulated = found is not None and json.loads(found)
    if was_emulated != is_emulated and connection.execute(select(exists(select(runs.c.id)))).scalar_one():
        raise DurableError(_REFUSALS[was_emulated])
    if is_emulated or was_emulated:
        store_value(connection, _SCOPE, _NAME, is_emulated)
