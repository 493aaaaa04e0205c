"""Tells an operator that what was asked for will be done by a process that does not exist yet."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.store.database import Database


async def tell_without_process(database: Database) -> None:
    """Print a line on standard error if no process executes the runs of the database now."""
    from twilio_component.durable.operator.gone_processes import START_PROCESS
    from twilio_component.durable.recovery.living_executors import has_living_process, living_executors

    def has_one(connection: Connection) -> bool:
        return has_living_process(connection, living_executors(connection, database.url))

    if not await database.run(has_one):
        print(START_PROCESS, file=sys.stderr)
