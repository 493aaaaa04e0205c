"""How this process looks for work in the queues: once for all of them, and seldom while there is none.

The workflow engine has a thread for each queue, which looks several times a second with transactions of several
statements. Here these threads wait for each other: one looks for all, with one statement, and only a queue with work
goes on. What this process enqueues itself is noticed at once, so that looks may be rare when nothing happens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from twilio_component.durable.store.workflow_rows import queues_with_work

if TYPE_CHECKING:
    from dbos import Queue

_BUSY_SECONDS = 0.2  # between two looks while there is work, so that processes share it
_IDLE_SECONDS = 1.0
_CALM_SECONDS = 2.0  # without work, after which looks are rare
_UPKEEP_SECONDS = 60.0

Look = Callable[[], Collection[str]]
"""Returns the names of the queues with work that this process may take."""


class QueueLooks:
    """Lets threads wait until ``look`` finds work in their queues; whichever comes first looks for all."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._changed = threading.Condition()
        self._found: set[str] = set()
        self._is_looking = self._is_closed = self._is_noticed = False
        self._next_look = time.monotonic()
        self._calm_at = self._next_look + _CALM_SECONDS

    def notice(self, *, at_once: bool) -> None:
        """Take note that something was enqueued: ``at_once``, or with the next looks, together with what follows."""
        with self._changed:
            now = time.monotonic()
            self._calm_at = now + _CALM_SECONDS
            self._next_look = min(self._next_look, now if at_once else now + _BUSY_SECONDS)
            self._is_noticed |= at_once
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def wait_for_work(self, queue: str) -> None:
        """Return when there is work in this queue, or when the looks are closed; raises what ``look`` raises."""
        while not self._comes_to_work(queue):
            found: Collection[str] = ()
            try:
                found = self._look()
            finally:
                self._end_look(found)

    def _comes_to_work(self, queue: str) -> bool:
        """Wait for work; False when it is the caller's turn to look."""
        with self._changed:
            while not self._is_closed and queue not in self._found:
                pause = self._next_look - time.monotonic()
                if pause <= 0 and not self._is_looking:
                    self._is_looking, self._is_noticed = True, False
                    return False
                self._changed.wait(None if self._is_looking else pause)
            self._found.discard(queue)
            return True

    def _end_look(self, found: Collection[str]) -> None:
        with self._changed:
            now = time.monotonic()
            if found:
                self._calm_at = now + _CALM_SECONDS
            self._found = set(found)
            self._is_looking = False
            if self._is_noticed:  # meanwhile: the look may have been too early
                self._next_look = now
            else:
                self._next_look = now + (_IDLE_SECONDS if now >= self._calm_at else _BUSY_SECONDS)
            self._changed.notify_all()


def look_cheaply(
    rows: Any,
    queues: Collection[str],
    may_take: Callable[[], bool],
    most_at_once: Callable[[str], int | None] = lambda _queue: None,
) -> QueueLooks:
    """Let the engine take work of these queues from its ``rows``, its system database, only when there is any.

    ``most_at_once`` is asked how many workflows of a queue may be taken by this look; None for as many as there are.
    And only while ``may_take`` says so: a process that may be held for dead must take nothing, since its work would be
    nobody's.
    """
    # Not public: the engine asks this of its database. It reads a queue's settings before each look.
    take, partitions = rows.start_queued_workflows, rows.get_queue_partitions
    read_queue, list_queues = rows.get_queue, rows.list_queues
    read: dict[str, Queue] = {}

    def look(names: Collection[str] = queues) -> Collection[str]:
        if not may_take():
            return ()
        with rows.engine.connect() as connection:
            return queues_with_work(connection, names)

    looks = QueueLooks(look)

    def read_once_and_wait(name: str, **options: Any) -> Any:
        if name not in queues:
            return read_queue(name, **options)
        found = read.get(name) or read_queue(name, **options)
        if found is not None:
            read[name] = found  # each process registers its queues before it looks, and never changes them
            looks.wait_for_work(name)
        return found

    def take_what_there_is(
        queue: Queue, executor: str, version: str, partition: str | None, running: int = 0, *more: Any, **options: Any
    ) -> Any:
        # For the engine's own queue, which it looks at once a second, there is no such wait.
        there_is_work = may_take() if queue.name in queues else look([queue.name])
        if not there_is_work:
            return [], None
        most = most_at_once(queue.name)
        if most is not None and queue._worker_concurrency is not None:  # noqa: SLF001 - asked for it, it reads the database
            running = max(running, queue._worker_concurrency - most)  # noqa: SLF001 - see above
        return take(queue, executor, version, partition, running, *more, **options)

    def list_once(**options: Any) -> Collection[Queue]:
        return [*read.values()] if len(read) == len(queues) else list_queues(**options)

    rows.start_queued_workflows = take_what_there_is
    rows.get_queue_partitions = lambda queue: partitions(queue) if may_take() else []
    rows.get_queue = read_once_and_wait
    rows.list_queues = list_once
    # Asked every second, and nothing of ours is delayed or has a deadline.
    rows.transition_delayed_workflows = _rarely(rows.transition_delayed_workflows, lambda: None)
    rows.cancel_timed_out_workflows = _rarely(rows.cancel_timed_out_workflows, list)
    return looks


def _rarely(work: Callable[..., Any], otherwise: Callable[[], Any]) -> Callable[..., Any]:
    """Do the work once a minute, not now; ``otherwise`` is what a call returns in between."""
    due = time.monotonic() + _UPKEEP_SECONDS

    def work_or_not(*arguments: Any, **options: Any) -> Any:
        nonlocal due
        if time.monotonic() < due:
            return otherwise()
        due = time.monotonic() + _UPKEEP_SECONDS
        return work(*arguments, **options)

    return work_or_not
