"""The queues from which the engine takes runs, and chunks of loops, that are to be executed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NoReturn

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions
from dbos._serialization import DefaultSerializer

from twilio_component.durable import ids
from twilio_component.durable.errors import DurableError
from twilio_component.durable.store.after_commit import after_commit
from twilio_component.durable.store.workflow_rows import VERSION

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.fanout.store import LoopKey
    from twilio_component.durable.store.database import Database

APPLICATION = "twilio-component"
_POLLING_SECONDS = 0.005  # the looks themselves wait, see ``QueueLooks``
_MAX_RUNS = 1_000  # at a time; most of them wait for something
_MAX_CHUNKS = 100  # of all loops; of each one there are but two
RUN_FLOW, RUN_CHUNK = "run_flow", "run_chunk"
RUNS, CHUNKS = "flows", "chunks"
"""The queues. Chunks have their own: runs that wait for their chunks must not keep these from being executed."""


class PickleRefusedError(DurableError):
    """The database holds a pickled value, which could run any code; nothing of ours is pickled."""

    code = "pickle-refused"


def refuse_pickles() -> None:
    """Let DBOS unpickle nothing: it would do so for every row that says it is pickled, whatever its serializer."""
    DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign,assignment]


def _refuse(_serializer: DefaultSerializer, _serialized: str) -> NoReturn:
    raise PickleRefusedError("a row of the database holds a pickled value; it is not read")


class RunQueue:
    """Enqueues in a transaction of the caller, and calls ``on_enqueued`` once it is committed.

    ``client`` does everything else; its connections are the database's.
    """

    def __init__(self, database: Database, on_enqueued: Callable[[], None] = lambda: None) -> None:
        refuse_pickles()
        self._on_enqueued = on_enqueued
        self.client = DBOSClient(
            system_database_engine=database.engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
        )

    async def register(self, *, chunks_of_a_list: int) -> None:
        """Create the queues, or change them as this release needs; a process takes so many ``chunks_of_a_list``."""
        register = self.client.register_queue_async
        await register(RUNS, worker_concurrency=_MAX_RUNS, polling_interval_sec=_POLLING_SECONDS)
        await register(
            CHUNKS,
            worker_concurrency=_MAX_CHUNKS,
            partition_worker_concurrency=chunks_of_a_list,
            polling_interval_sec=_POLLING_SECONDS,
        )

    def put(self, connection: Connection, runs: Iterable[str]) -> None:
        """Enqueue runs; one that has been enqueued before stays as it is."""
        # All processes enqueue in the same order: each locks the rows that exist.
        for run in sorted(set(runs)):
            options: EnqueueOptions = {
                "workflow_name": RUN_FLOW,
                "queue_name": RUNS,
                "workflow_id": run,
                "app_version": VERSION,
            }
            self._enqueue(connection, options, run)

    def put_again(self, connection: Connection, run: str, workflow: str) -> None:
        """Enqueue a run that has waited, as the workflow with this id."""
        options: EnqueueOptions = {
            "workflow_name": RUN_FLOW,
            "queue_name": RUNS,
            "workflow_id": workflow,
            "app_version": VERSION,
        }
        self._enqueue(connection, options, run)

    def put_chunk(self, connection: Connection, loop: LoopKey, chunk: int, generation: int) -> None:
        """Enqueue a chunk of a loop; one that has been enqueued before in this generation stays as it is."""
        options: EnqueueOptions = {
            "workflow_name": RUN_CHUNK,
            "queue_name": CHUNKS,
            "workflow_id": ids.chunk_id(loop.run, loop.ordinal, chunk, generation),
            "app_version": VERSION,
            "queue_partition_key": ids.loop_id(loop.run, loop.ordinal),
        }
        self._enqueue(connection, options, loop.run, loop.ordinal, chunk)

    def _enqueue(self, connection: Connection, options: EnqueueOptions, *arguments: object) -> None:
        self.client.enqueue_in_transaction(connection, options, *arguments)
        after_commit(connection, self._on_enqueued)
