"""The items of a chunk whose iterations have not begun, or must wait."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.durable.fanout.store import Item


class WaitingItems:
    """Hands out items in their order, and those that were held as soon as their time has come."""

    def __init__(self, items: Iterable[Item], now: float) -> None:
        self._ready: list[Item] = []
        self._held: list[tuple[float, int, Item]] = []
        for item in items:
            if item.held_until is None or item.held_until <= now:
                self._ready.append(item)
            else:
                self.put_back(item, item.held_until)
        self._ready.reverse()

    def take(self, now: float) -> Item | None:
        """The next item whose iteration may run; None when there is none now."""
        if self._held and self._held[0][0] <= now:
            return heappop(self._held)[2]
        return self._ready.pop() if self._ready else None

    def put_back(self, item: Item, until: float) -> None:
        """Hold an item until this time."""
        heappush(self._held, (until, item.number, replace(item, held_until=until)))

    def items_on_hold(self) -> list[Item]:
        """The items that are held."""
        return [item for _, _, item in self._held]
