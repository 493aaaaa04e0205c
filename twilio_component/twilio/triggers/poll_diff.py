"""One look at the list of messages, the newest first: what of it is new, and what has changed."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from twilio_component.twilio.triggers import poll_state

if TYPE_CHECKING:
    from twilio_component.twilio.triggers.poll_state import Memory

Message = dict[str, Any]

HISTORY = 100
"""How many messages of history in a row end a look that has not met all that it knows: some are deleted."""
_FATE = ("status", "errorCode", "errorMessage", "price", "priceUnit")


class Reading:
    """Compares messages with a memory, as they are listed.

    At most ``limit`` new ones and as many changed ones are kept, the oldest: ``new`` and ``changed``, the newest first.
    ``listed`` are the SIDs that were met, ``untold`` those of all that have changed.
    """

    def __init__(self, memory: Memory, limit: int) -> None:
        self._memory = memory
        self._missing = set(memory.seen)
        self._in_doubt: list[Message] = []
        self._history = 0
        oldest = next(iter(memory.seen.values()), (memory.since, ""))
        self._floor = min(memory.since, oldest[0])
        # Each that comes pushes out the newest.
        self.new: deque[Message] = deque(maxlen=limit)
        self.changed: deque[Message] = deque(maxlen=limit)
        self.untold: set[str] = set()
        self.listed: dict[str, None] = {}

    def take(self, one: Message) -> bool:
        """Take the next message; False when what follows is history."""
        sid = one["sid"]
        if sid in self.listed:
            return True  # pages that shift show it twice
        known = self._memory.seen.get(sid)
        if known is None and self._ends_with(one):
            return False
        self.listed[sid] = None
        if known is None:
            self._unknown(one)
            return True
        self._history = 0
        self._missing.discard(sid)
        self._resolve_doubts()
        if known[1] != fate(one):
            self.changed.append(one)
            self.untold.add(sid)
        return True

    def end(self) -> None:
        """There is no more, or what follows is history: what was not listed above a known message is history too."""
        self.new.extend(one for one in self._in_doubt if self._is_late(one))
        self._in_doubt.clear()

    def _is_late(self, one: Message) -> bool:
        created: str = one["dateCreated"]
        return created >= self._memory.since

    def _ends_with(self, one: Message) -> bool:
        """Whether an unknown message, and what follows, is history."""
        if self._is_late(one):
            self._history = 0
            return False
        if one["dateCreated"] < self._floor:
            self._history += 1
        # As long as nothing known was met, it may all be new, whatever the dates say.
        met_none = len(self._missing) == len(self._memory.seen)
        return not self._missing or self._history > (poll_state.MOST_REMEMBERED if met_none else HISTORY)

    def _unknown(self, one: Message) -> None:
        if self._is_late(one) and not self._in_doubt:
            self.new.append(one)
        else:
            self._in_doubt.append(one)

    def _resolve_doubts(self) -> None:
        self.new.extend(self._in_doubt)
        self._in_doubt.clear()


def fate(one: Message) -> str:
    """A digest of what becomes of a message."""
    return hashlib.sha256(json.dumps([one[name] for name in _FATE]).encode()).hexdigest()[:16]
