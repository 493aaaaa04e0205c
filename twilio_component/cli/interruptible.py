"""Commands that act and end: a signal lets them say what they have done."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run_interruptibly(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Run ``main`` to its end. SIGTERM, which service managers send, cancels it as Ctrl-C does; a second one ends it.

    Raises ``KeyboardInterrupt`` where it has nothing to say about that.
    """
    return asyncio.run(_until_terminated(main))


async def _until_terminated(main: Coroutine[Any, Any, _Result]) -> _Result:
    if threading.current_thread() is not threading.main_thread():
        return await main  # only there are signals handled
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    is_told = False

    def stop(*_: object) -> None:
        nonlocal is_told
        if is_told:
            raise KeyboardInterrupt
        is_told = True
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        return await main
    except asyncio.CancelledError:
        if is_told:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
