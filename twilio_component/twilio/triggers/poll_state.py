"""What the polling trigger remembers between polls: the newest messages that it has told, in the list's order."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twilio_component.host.serialization import iso_time

VERSION = 2
MOST_REMEMBERED = 10_000

Known = tuple[str, str]
"""When a message was created, and a digest of its fate as it was last told."""


@dataclass(slots=True)
class Memory:
    """The messages in ``seen``, by SID, the oldest first: an unknown one that is listed above one of them is new.

    So is one that was created at ``since`` or later, wherever it is listed: the list may have shown it late. Anything
    else is history. The order of the list decides first, since dates may lie: clocks jump, and have only seconds.
    """

    since: str
    seen: dict[str, Known] = field(default_factory=dict)

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> Memory | None:
        """From a stored state; None for one that only a later version can read."""
        if state.get("version") == VERSION:
            return cls(state["since"], {sid: (created, fate) for sid, created, fate in state["seen"]})
        if state.get("version") == 1:
            # It had no order but that of dates.
            known = sorted((created, sid, fate) for sid, (created, fate) in state["seen"].items())
            return cls(state["since"], {sid: (created, fate) for created, sid, fate in known})
        return None

    def written(self) -> dict[str, Any]:
        """As it is stored: plain JSON, in which a list keeps its order."""
        seen = [[sid, created, fate] for sid, (created, fate) in self.seen.items()]
        return {"version": VERSION, "since": self.since, "seen": seen}

    def take_in(self, new: Mapping[str, Known], listed: Collection[str]) -> None:
        """Remember new messages too, in the order in which they and the known ones are ``listed``, the oldest first.

        Known ones that the list does not show keep their place: next to the one that was told before them.
        """
        merged: dict[str, Known] = {}
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

    def move_on(self, newest: str, look_back: dt.timedelta, untold: Collection[str]) -> None:
        """Forget what was created more than ``look_back`` before the ``newest`` message, unless it has changed untold.

        Only from the oldest on: what is listed above a remembered message would pass for new.
        """
        # ISO dates of one form compare as text.
        begin = _later(newest, -look_back)
        self.since = max(self.since, begin)
        self._forget(self._oldest(len(self.seen), untold, before=begin))

    def make_room(self, wanted: int, untold: Collection[str]) -> int:
        """Forget the oldest where there is no room for so many new ones; how many those were.

        None that has changed untold: of as many changed ones as there are new ones, the oldest have just been told.
        """
        leaving = self._oldest(max(0, len(self.seen) + wanted - MOST_REMEMBERED), untold)
        if leaving:
            # Whatever was created until then is history now, also what has not been seen of it.
            last = max(self.seen[sid][0] for sid in leaving)
            self.since = max(self.since, _later(last, dt.timedelta(seconds=1)))
        self._forget(leaving)
        return len(leaving)

    def _oldest(self, most: int, untold: Collection[str], before: str | None = None) -> list[str]:
        found: list[str] = []
        for sid, (created, _) in self.seen.items():
            if len(found) == most or sid in untold or (before is not None and created >= before):
                break
            found.append(sid)
        return found

    def _forget(self, sids: Iterable[str]) -> None:
        for sid in sids:
            del self.seen[sid]


def _later(date: str, by: dt.timedelta) -> str:
    return iso_time(dt.datetime.fromisoformat(date) + by)
