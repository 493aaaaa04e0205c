"""Every order in which something can happen, one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

_Choice = TypeVar("_Choice")

LONG_AGO = -0.3


class PrunedError(Exception):
    """The state has been reached in another way before: nothing new can follow."""


class Choices:
    """Takes the first choices as it is told, and the first of those that are left from there on."""

    def __init__(self, prefix: Sequence[int], seen: set[Hashable]) -> None:
        self.trail: list[tuple[int, int]] = []
        self._prefix = prefix
        self._seen = seen

    def choice(self, options: Sequence[_Choice]) -> _Choice:
        """Return one of the options: each of them in some run."""
        position = len(self.trail)
        index = self._prefix[position] if position < len(self._prefix) else 0
        self.trail.append((index, len(options)))
        return options[index]

    @property
    def is_new(self) -> bool:
        """Whether all that was told has been taken, so that what follows may be new."""
        return len(self.trail) >= len(self._prefix)

    def at(self, state: Hashable) -> None:
        """Say in which state the run is; raise ``PrunedError`` when all that can follow has been tried."""
        if state in self._seen:
            raise PrunedError
        self._seen.add(state)


def explore(run: Callable[[Choices], None]) -> tuple[int, int]:
    """Call ``run`` once for each combination of choices; return how many runs and how many states there were."""
    prefix: list[int] = []
    seen: set[Hashable] = set()
    runs = 0
    while True:
        choices = Choices(prefix, seen)
        runs += 1
        with suppress(PrunedError):
            run(choices)
        trail = choices.trail
        while trail and trail[-1][0] == trail[-1][1] - 1:
            trail.pop()
        if not trail:
            return runs, len(seen)
        index, _ = trail.pop()
        prefix = [*(one for one, _ in trail), index + 1]


def state_of(coroutine: Any, now: Callable[[str], float]) -> Hashable:
    """Return what determines how a suspended coroutine goes on: where each of its frames stands, and its plain locals.

    Times are taken relative to ``now(name)``, which returns 0 for locals that hold durations, so that equal states that
    are reached at different times are equal.
    """
    return tuple(_frames(coroutine, now))


def relative(value: float, now: float) -> float:
    """Return a time relative to now; what is longer ago than any bound of the protocol is all the same."""
    return max(LONG_AGO, round(value - now, 4))


def _frames(coroutine: Any, now: Callable[[str], float]) -> Iterator[Hashable]:
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            # An asynchronous generator's step hides its frame; its caller's position stands for it.
            return
        names = sorted(frame.f_locals)
        plain = tuple((name, _plain(frame.f_locals[name], name, now)) for name in names)
        yield frame.f_code.co_qualname, frame.f_lasti, plain
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)


def _plain(value: Any, name: str, now: Callable[[str], float]) -> Hashable:
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return relative(value, now(name))
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(_plain(one, name, now) for one in value)
    if isinstance(value, dict):
        return tuple((str(key), _plain(one, name, now)) for key, one in sorted(value.items()))
    if is_dataclass(value):
        return tuple((one.name, _plain(getattr(value, one.name), one.name, now)) for one in fields(value))
    return type(value).__name__ if not inspect.isfunction(value) else value.__qualname__
