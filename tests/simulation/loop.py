# mypy: disable-error-code="override,assignment,no-any-return"
"""An event loop with a virtual clock and seeded scheduling, on which several simulated processes live.

Nothing waits: when no callback is ready, time jumps to the next timer. Which process runs next is drawn from the seed;
within a process callbacks keep their order, as asyncio promises. Every callback belongs to the process in whose context
it was scheduled, so a process can be frozen between any two awaits, thawed, or killed: a killed process never runs
another line, not even a ``finally``.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from random import Random

_Result = TypeVar("_Result")

PROCESS: ContextVar[str] = ContextVar("process", default="")
"""The simulated process that runs; empty outside all of them."""


class DeadlockError(AssertionError):
    """Somebody waits, and nothing that could end the wait is scheduled."""


class OverdueError(AssertionError):
    """The virtual time allowed is over, and the work is not done."""


class _Scheduled:
    """A callback to run: what asyncio knows as a handle."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "process", "when_due")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> None:
        self.callback = callback
        self.args = args
        self.context = copy_context() if context is None else context
        self.process = self.context.get(PROCESS, "")
        self.is_cancelled = False
        self.when_due = 0.0

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.when_due


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs coroutines in virtual time. ``steps`` counts the callbacks that have run; equal seeds count equally.

    ``after_step`` is called after every callback, for invariants.
    """

    def __init__(self, random: Random, after_step: Callable[[], None] | None = None) -> None:
        self.steps = 0
        self.exceptions: list[dict[str, Any]] = []
        self._random = random
        self._after_step = after_step
        self._now = 0.0
        self._ready: dict[str, deque[_Scheduled]] = {}
        self._timers: list[tuple[float, int, _Scheduled]] = []
        self._numbers = itertools.count()
        self._frozen: set[str] = set()
        self._dead: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._buried: list[_Scheduled] = []  # what the dead would have run

    # Processes

    @contextmanager
    def process(self, name: str) -> Iterator[None]:
        """Within it, tasks that are created belong to the process of this name."""
        token = PROCESS.set(name)
        try:
            yield
        finally:
            PROCESS.reset(token)

    def freeze(self, name: str) -> None:
        """Let the process run nothing until it is thawed; its timers fall due meanwhile."""
        self._frozen.add(name)

    def thaw(self, name: str) -> None:
        """Let a frozen process go on."""
        self._frozen.discard(name)

    def kill(self, name: str) -> None:
        """Let the process never run again."""
        self._dead.add(name)
        self._frozen.discard(name)
        self._buried += self._ready.pop(name, ())

    def is_waiting(self, name: str) -> bool:
        """Whether nothing of the process is ready to run."""
        return not any(not one.is_cancelled for one in self._ready.get(name, ()))

    def next_timer(self, names: Collection[str]) -> float | None:
        """Return when the next timer of these processes falls due, or None when they have none."""
        due = (when for when, _, one in self._timers if one.process in names and not one.is_cancelled)
        return min(due, default=None)

    def timers(self, name: str) -> list[float]:
        """Return when the timers of a process fall due, in order."""
        return sorted(when for when, _, one in self._timers if one.process == name and not one.is_cancelled)

    # Running

    def run(self, main: Coroutine[Any, Any, _Result], *, within: float) -> _Result:
        """Run ``main`` to its end, for at most ``within`` virtual seconds.

        Raises ``OverdueError``, ``DeadlockError``, what ``main`` raises, and what ``after_step`` raises.
        """
        asyncio._set_running_loop(self)  # documented for those who implement a loop
        try:
            task = self.create_task(main)
            end = self._now + within
            while not task.done():
                one = self._next(end)
                one.context.run(one.callback, *one.args)
                self.steps += 1
                if self._after_step is not None:
                    self._after_step()
            return task.result()
        finally:
            asyncio._set_running_loop(None)

    def close(self) -> None:
        """Cancel what is left, the dead included, so that no coroutine outlives the seed."""
        self._after_step = None
        self._dead.clear()
        self._frozen.clear()
        buried, self._buried = self._buried, []
        for one in buried:
            self._add(one)
        asyncio._set_running_loop(self)
        try:
            while left := [task for task in self._tasks if not task.done()]:
                for task in left:
                    task.cancel()
                with suppress(DeadlockError):
                    for _ in range(100):
                        one = self._next(float("inf"))
                        one.context.run(one.callback, *one.args)
        finally:
            asyncio._set_running_loop(None)

    def _next(self, end: float) -> _Scheduled:
        timers, frozen = self._timers, self._frozen
        while True:
            while timers and timers[0][0] <= self._now:
                self._add(heapq.heappop(timers)[2])
            names = [name for name, waiting in self._ready.items() if waiting and name not in frozen]
            if not names:
                self._advance(end)
                continue
            name = names[0] if len(names) == 1 else self._random.choice(names)
            one = self._ready[name].popleft()
            if not one.is_cancelled:
                return one

    def _advance(self, end: float) -> None:
        while self._timers and (self._timers[0][2].is_cancelled or self._timers[0][2].process in self._dead):
            self._buried.append(heapq.heappop(self._timers)[2])
        if not self._timers:
            raise DeadlockError(f"at {self._now:.3f} s everybody waits for something that will not come")
        self._now = self._timers[0][0]
        if self._now > end:
            raise OverdueError(f"not done within {end:.0f} virtual seconds")

    def _add(self, one: _Scheduled) -> None:
        if one.process in self._dead:
            self._buried.append(one)
        else:
            self._ready.setdefault(one.process, deque()).append(one)

    # What asyncio asks of a loop

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        one = _Scheduled(callback, args, context)
        self._add(one)
        return one

    call_soon_threadsafe = call_soon  # there is one thread

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        one = _Scheduled(callback, args, context)
        one.when_due = when
        heapq.heappush(self._timers, (when, next(self._numbers), one))
        return one

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        if context is not None and PROCESS not in context:
            context.run(PROCESS.set, PROCESS.get())  # a task in a context of its own lives in its process all the same
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        # The tasks of a dead process are nobody's, and must not be collected while they wait.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run_in_executor(self, _executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Run ``func`` at once; what it returns or raises arrives with the next callback."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.exceptions.append(context)
