"""Work of many at once in one transaction, where a database lets one writer in at a time and each commit is a sync.

Each piece of work stands or falls by itself (it is a savepoint), and nobody is answered before the whole is on disk.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_MOST = 100

Work = Callable[["Connection"], Any]


class GroupCommit:
    """Does work in the order in which it comes, in a thread of its own; what has come meanwhile is committed as one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="store", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> Future[Any]:
        """What the work returns, or raises, once it is committed."""
        future: Future[Any] = Future()
        self._waiting.put((work, future))
        return future

    def close(self) -> None:
        """Do what was submitted, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (batch := self._batch()) is not None:
            self._commit(batch)

    def _batch(self) -> list[tuple[Work, Future[Any]]] | None:
        """What is there, at least one piece of work; None when there will be no more."""
        batch: list[tuple[Work, Future[Any]]] = []
        while len(batch) < _MOST and not (batch and self._waiting.empty()):
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
            with self._engine.begin() as connection:
                for work, future in batch:
                    # By hand: SQLAlchemy's own savepoints cost as much as the work.
                    connection.exec_driver_sql("SAVEPOINT work")
                    try:
                        done.append((future, work(connection), None))
                    except Exception as error:  # noqa: BLE001 - it is whoever submitted the work who must know
                        connection.exec_driver_sql("ROLLBACK TO work")
                        done.append((future, None, error))
                    connection.exec_driver_sql("RELEASE work")
        except Exception as error:  # noqa: BLE001 - likewise: nothing of it has happened
            done = [(future, None, error) for _, future in batch]
        for future, result, failure in done:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)
