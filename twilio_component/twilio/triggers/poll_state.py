"""What the polling trigger stores between polls: the newest messages that it has reported, in the list's order."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twilio_component.host.serialization import iso_time

VERSION = 2
MAX_REMEMBERED = 10_000

SeenMessage = tuple[str, str]
"""When a message was created, and its status fingerprint when it was last reported."""


@dataclass(slots=True)
class PollState:
    """The messages in ``seen`` by SID, the oldest first. An unknown message that is listed above one of them is new.

    So is one that was created at ``since`` or later, wherever it is listed, because the list may lag. Any other is
    history. The order of the list decides first, since dates have only seconds and clocks jump.
    """

    since: str
    seen: dict[str, SeenMessage] = field(default_factory=dict)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> PollState | None:
        """Return the state from stored JSON; None when only a later version of this package can read it."""
        if state.get("version") == VERSION:
            return cls(state["since"], {sid: (created, fingerprint) for sid, created, fingerprint in state["seen"]})
        if state.get("version") == 1:
            # Version 1 had only the order of the dates.
            known = sorted((created, sid, fingerprint) for sid, (created, fingerprint) in state["seen"].items())
            return cls(state["since"], {sid: (created, fingerprint) for created, sid, fingerprint in known})
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON, in which a list keeps its order."""
        seen = [[sid, created, fingerprint] for sid, (created, fingerprint) in self.seen.items()]
        return {"version": VERSION, "since": self.since, "seen": seen}

    def remember(self, new: Mapping[str, SeenMessage], listed: Collection[str]) -> None:
        """Add new messages, in the order in which they and the known ones are ``listed``, the oldest first.

        Known messages that are not listed stay next to the one before them.
        """
        merged: dict[str, SeenMessage] = {}
        known = deque(self.seen.items())

        def move_unlisted() -> None:
            while known and known[0][0] not in listed:
                merged.update([known.popleft()])

        move_unlisted()
        for sid in listed:
            if sid in new:
                merged[sid] = new[sid]
            while sid in self.seen and sid not in merged:
                merged.update([known.popleft()])
                move_unlisted()
        self.seen = merged

    def advance(self, newest: str, look_back: dt.timedelta, unreported: Collection[str]) -> None:
        """Forget messages created more than ``look_back`` before the ``newest`` one, except ``unreported`` changes.

        Forgets from the oldest on only: a message that is listed above a remembered one would count as new.
        """
        # ISO dates of one form compare as text.
        begin = _later(newest, -look_back)
        self.since = max(self.since, begin)
        self._forget(self._oldest(len(self.seen), unreported, before=begin))

    def make_room(self, wanted: int, unreported: Collection[str]) -> int:
        """Forget the oldest messages where there is no room for ``wanted`` new ones, and return how many.

        ``unreported`` changes are kept; there is always room, because as many of the oldest changes were just reported.
        """
        leaving = self._oldest(max(0, len(self.seen) + wanted - MAX_REMEMBERED), unreported)
        if leaving:
            # Everything created until then is history now, including messages that were not seen.
            last = max(self.seen[sid][0] for sid in leaving)
            self.since = max(self.since, _later(last, dt.timedelta(seconds=1)))
        self._forget(leaving)
        return len(leaving)

    def _oldest(self, most: int, unreported: Collection[str], before: str | None = None) -> list[str]:
        found: list[str] = []
        for sid, (created, _) in self.seen.items():
            if len(found) == most or sid in unreported or (before is not None and created >= before):
                break
            found.append(sid)
        return found

    def _forget(self, sids: Iterable[str]) -> None:
        for sid in sids:
            del self.seen[sid]


def _later(date: str, by: dt.timedelta) -> str:
    return iso_time(dt.datetime.fromisoformat(date) + by)
