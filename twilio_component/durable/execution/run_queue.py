"""The queue from which the engine takes the runs that are to begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.store.database import Database

APPLICATION, WORKFLOW, QUEUE = "twilio-component", "run_flow", "flows"
# Grows when a stored run could not go on with newer code: then old runs wait for a process of their version.
VERSION = "4"


class FlowQueue:
    """Puts runs into the queue. ``client`` does what else may be done with them; its connections are the database's."""

    def __init__(self, database: Database) -> None:
        self.client = DBOSClient(
            system_database_engine=database.engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
        )

    def put(self, connection: Connection, runs: Iterable[str]) -> None:
        """Put runs into the queue, in this transaction; what has been put there before stays there as it is."""
        # In one order in all processes: each locks the rows of those that are there already.
        for run in sorted(set(runs)):
            options: EnqueueOptions = {
                "workflow_name": WORKFLOW,
                "queue_name": QUEUE,
                "workflow_id": run,
                "app_version": VERSION,
            }
            self.client.enqueue_in_transaction(connection, options, run)
