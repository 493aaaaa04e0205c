"""Whether a task is to end."""

from __future__ import annotations

import asyncio


def is_cancelled() -> bool:
    """Whether this task is to end, also where a call has made an error of its cancellation."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
