"""An event loop in a thread: what is served there goes on while a test does something else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

_T = TypeVar("_T")


class LoopThread:
    """Runs coroutines, and keeps context managers open until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, _T], seconds: float = 60) -> _T:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def enter(self, context: AbstractAsyncContextManager[_T]) -> _T:
        """Open a context; it stays open."""
        return self.call(self.stack.enter_async_context(context))

    def close(self) -> None:
        """Close the contexts, and end the thread."""
        self.call(self.stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()
