"""Group commit: many pieces of work in one transaction, for a database with one writer at a time.

Where there are several, each is a savepoint, so that it succeeds or fails alone. Nobody gets a result before the whole
transaction is on disk.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from twilio_component.durable.store.after_commit import committing

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_MAX_BATCH = 100

Work = Callable[["Connection"], Any]


class GroupCommit:
    """Does work in the order of submission, in its own thread; what arrives during a commit is committed together."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="store", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> Future[Any]:
        """The future result, or error, of the work; it is set once the work is committed."""
        future: Future[Any] = Future()
        self._waiting.put((work, future))
        return future

    def close(self) -> None:
        """Do what was submitted, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._commit(batch)

    def _next_batch(self) -> list[tuple[Work, Future[Any]]] | None:
        """Everything that is waiting, at least one piece of work; None when there will be no more."""
        batch: list[tuple[Work, Future[Any]]] = []
        while len(batch) < _MAX_BATCH and not (batch and self._waiting.empty()):
            one = self._waiting.get()
            if one is None:
                if not batch:
                    return None
                self._waiting.put(None)
                break
            if one[1].set_running_or_notify_cancel():
                batch.append(one)
        return batch

    def _commit(self, batch: list[tuple[Work, Future[Any]]]) -> None:
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with committing(self._engine) as connection:
                if len(batch) == 1:  # it succeeds or fails with its transaction
                    work, future = batch[0]
                    done.append((future, work(connection), None))
                else:
                    done += [(future, *_do_apart(work, connection)) for work, future in batch]
        except Exception as error:  # noqa: BLE001 - nothing was committed, and every submitter must know
            done = [(future, None, error) for _, future in batch]
        for future, result, failure in done:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)


def _do_apart(work: Work, connection: Connection) -> tuple[Any, Exception | None]:
    """Do a piece of work so that what it has done can be undone alone; its result, or why it failed."""
    # Written by hand: SQLAlchemy's own savepoints cost as much as the work.
    connection.exec_driver_sql("SAVEPOINT work")
    try:
        result, failure = work(connection), None
    except Exception as error:  # noqa: BLE001 - the submitter must know
        connection.exec_driver_sql("ROLLBACK TO work")
        result, failure = None, error
    connection.exec_driver_sql("RELEASE work")
    return result, failure
