"""Runs that an earlier release has stored: a process of this release continues with them.

The workflow engine gives a process only workflows of its own version. So a process of the release before is never given
a run that it may not understand, and this process takes what is free of the earlier versions.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store.workflow_rows import EARLIER_VERSIONS, VERSION, adopt_workflows

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

_LOOK_SECONDS = 10.0
_LOGGER = logging.getLogger("twilio_component.durable")


class EarlierRuns:
    """Takes such runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep_adopting(self) -> None:
        """Look every ten seconds, until cancelled: processes of that release may still store runs."""
        trouble = "could not check whether runs of an earlier release wait; trying again"
        await run_periodically(self.adopt, _LOOK_SECONDS, trouble)

    async def adopt(self, executor: str | None = None) -> int:
        """Take the runs that wait, and those that the ``executor``, which is gone, was executing; their number.

        Chunks of loops count too. Retries until the database is available.
        """
        adopted = await self._database.run_until_available(
            lambda connection: adopt_workflows(connection, EARLIER_VERSIONS, VERSION, executor)
        )
        if adopted:
            _LOGGER.info("continuing what an earlier release began: %d", adopted)
        return adopted
