"""Compares the list of messages, newest first, with the last poll's state: what is new, and what has changed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from twilio_component.twilio.triggers import poll_state

if TYPE_CHECKING:
    from twilio_component.twilio.triggers.poll_state import PollState

Message = dict[str, Any]

HISTORY = 100
"""How many old messages in a row end a poll that has not met every known message, since some may be deleted."""
_SHORTEST_SCHEDULE = dt.timedelta(minutes=5)
_FINGERPRINT_FIELDS = ("status", "errorCode", "errorMessage", "price", "priceUnit")


class ListDiff:
    """Compares messages with a poll state, in the order in which they are listed.

    ``new`` and ``changed`` hold the oldest ``limit`` messages of each, the newest first. ``listed`` are the SIDs of all
    listed messages, ``changed_sids`` those of all changed ones.
    """

    def __init__(self, state: PollState, limit: int) -> None:
        self._state = state
        self._missing = set(state.seen)
        self._in_doubt: list[Message] = []
        self._history = 0
        oldest = next(iter(state.seen.values()), (state.since, ""))
        self._floor = min(state.since, oldest[0])
        # A full deque drops the newest for each older message.
        self.new: deque[Message] = deque(maxlen=limit)
        self.changed: deque[Message] = deque(maxlen=limit)
        self.changed_sids: set[str] = set()
        self.listed: dict[str, None] = {}
        # New messages that were scheduled: where they are listed does not tell their age.
        self._moved_up: list[Message] = []

    def take(self, one: Message) -> bool:
        """Take the next message; return False when this and all that follow are history."""
        sid = one["sid"]
        if sid in self.listed:
            return True  # it is listed twice when pages shift
        known = self._state.seen.get(sid)
        if known is None and not self._is_late(one) and was_scheduled(one):
            # Lists are ordered by the date of sending: it was reported long ago, and has moved up since.
            return True
        if known is None and self._ends_with(one):
            return False
        self.listed[sid] = None
        if known is None:
            self._take_unknown(one)
            return True
        self._history = 0
        self._missing.discard(sid)
        self._resolve_doubts()
        if known[1] != status_fingerprint(one):
            self.changed.append(one)
            self.changed_sids.add(sid)
        return True

    def end(self) -> None:
        """End the comparison: messages not listed above a known one are history, unless they were listed late."""
        self.new.extend(one for one in self._in_doubt if self._is_late(one))
        self._in_doubt.clear()
        if self._moved_up:
            oldest = sorted([*reversed(self.new), *self._moved_up], key=_creation_date)[: self.new.maxlen]
            self.new.clear()
            self.new.extend(reversed(oldest))

    def _is_late(self, one: Message) -> bool:
        created: str = one["dateCreated"]
        return created >= self._state.since

    def _ends_with(self, one: Message) -> bool:
        """Whether an unknown message, and all that follow, are history."""
        if self._is_late(one):
            self._history = 0
            return False
        if one["dateCreated"] < self._floor:
            self._history += 1
        # Until a known message is met, all may be new, whatever the dates are.
        met_none = len(self._missing) == len(self._state.seen)
        return not self._missing or self._history > (poll_state.MAX_REMEMBERED if met_none else HISTORY)

    def _take_unknown(self, one: Message) -> None:
        if was_scheduled(one):
            self._moved_up.append(one)
        elif self._is_late(one) and not self._in_doubt:
            self.new.append(one)
        else:
            self._in_doubt.append(one)

    def _resolve_doubts(self) -> None:
        self.new.extend(self._in_doubt)
        self._in_doubt.clear()


def oldest_first(listed: Collection[Message]) -> list[Message]:
    """Return messages from a list, newest first, in the order of their creation.

    That is the reverse of the list's, unless a scheduled message has moved up in it; then the dates decide.
    """
    ordered = [*reversed([*listed])]
    return sorted(ordered, key=_creation_date) if any(map(was_scheduled, ordered)) else ordered


def _creation_date(one: Message) -> str:
    date: str = one["dateCreated"]
    return date


def was_scheduled(one: Message) -> bool:
    """Whether a message waited for its ``sendAt``, which only a messaging service can do."""
    if one["messagingServiceSid"] is None or one["dateSent"] is None:
        return False
    waited = dt.datetime.fromisoformat(one["dateSent"]) - dt.datetime.fromisoformat(one["dateCreated"])
    return waited >= _SHORTEST_SCHEDULE


def status_fingerprint(one: Message) -> str:
    """Return a digest of the fields that change while a message is delivered."""
    return hashlib.sha256(json.dumps([one[name] for name in _FINGERPRINT_FIELDS]).encode()).hexdigest()[:16]
