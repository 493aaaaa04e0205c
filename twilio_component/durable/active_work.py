"""The workflows that this process is executing, and whether it still may begin anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twilio_component.durable.errors import EngineDraining
from twilio_component.durable.task_ends import end_tasks


class ActiveWork:
    """Knows the tasks of the workflows under way. Once it drains, nothing new begins in this process."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self.is_draining = False

    def __len__(self) -> int:
        """How many workflows are under way; may be asked by any thread."""
        return len(self._tasks)

    @property
    def workflow_ids(self) -> set[str]:
        """The ids of the workflows under way."""
        return set(self._tasks.values())

    def raise_if_draining(self) -> None:
        """Raise ``EngineDraining`` when the process is stopping."""
        if self.is_draining:
            raise EngineDraining

    @contextmanager
    def executing(self, workflow_id: str) -> Iterator[None]:
        """Count the current task as the execution of a workflow, for the length of the block."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - workflows are coroutines
        self._tasks[task] = workflow_id
        try:
            self.raise_if_draining()
            yield
        except BaseException as error:
            if self.is_draining:
                # In a process that is stopping anything may fail. A cancelled workflow has no outcome, so another
                # process continues it.
                raise asyncio.CancelledError from error
            raise
        finally:
            del self._tasks[task]

    async def cancel(self) -> None:
        """Cancel the workflows under way and wait for that; they stay as they are stored."""
        await end_tasks(list(self._tasks))
