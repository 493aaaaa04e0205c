"""How this process looks for work in the queues: only while it may take any, and at next to no cost when there is none.

The workflow engine looks several times a second, with three transactions of several statements each time. Nearly always
there is nothing, which one statement tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twilio_component.durable.store.workflow_rows import has_enqueued

if TYPE_CHECKING:
    from dbos import Queue


def look_cheaply(rows: Any, may_take: Callable[[], bool]) -> None:
    """Let the engine take work from its ``rows``, its system database, only while ``may_take`` says so.

    While this process may be held for dead it must take nothing: its work would be nobody's.
    """
    # Not public: the engine asks this of its database whenever it looks for work.
    take, partitions, read_queue = rows.start_queued_workflows, rows.get_queue_partitions, rows.get_queue
    queues: dict[str, Queue] = {}

    def there_is_work(queue: str) -> bool:
        if not may_take():
            return False
        with rows.engine.connect() as connection:
            return has_enqueued(connection, queue)

    def take_if_there_is_work(queue: Queue, *arguments: Any, **options: Any) -> Any:
        return take(queue, *arguments, **options) if there_is_work(queue.name) else ([], None)

    def partitions_with_work(queue: str) -> list[str]:
        return partitions(queue) if there_is_work(queue) else []

    def queue_read_once(name: str, **options: Any) -> Queue | None:
        found = queues.get(name) or read_queue(name, **options)
        if found is not None:
            queues[name] = found  # each process registers its queues before it looks, and never changes them
        return found

    rows.start_queued_workflows = take_if_there_is_work
    rows.get_queue_partitions = partitions_with_work
    rows.get_queue = queue_read_once
