"""The trigger ``pollChangesTrigger``: messages that are new, and messages whose fate has changed.

Twilio's list has no cursor for changes. What a poll must survive: a list that lags, pages that shift while they are
read, many messages in one second, more of them than one poll takes, deleted messages, clocks that jump. So a poll reads
a window of the list (Twilio's dates of creation alone are believed, never this machine's clock), compares it with what
it remembers of that window, and moves the window on only over what it has told.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import heapq
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twilio_component.actions.messages import parameters
from twilio_component.client import client_for
from twilio_component.host.json_ready import iso_time
from twilio_component.host.model import Result
from twilio_component.lists import LARGEST_PAGE
from twilio_component.payloads import message

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Message = dict[str, Any]

VERSION = 1
PAGE = LARGEST_PAGE
MOST_REMEMBERED = 10_000
_STATE = "pollChangesTrigger"
_FATE = ("status", "errorCode", "errorMessage", "price", "priceUnit")


@dataclass(slots=True)
class Memory:
    """What earlier polls saw: the messages created since ``since``, each with its date and the digest of its fate."""

    since: str
    seen: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, state: Any) -> Memory | None:
        """From a stored state; None for none, and for one of another version, which begins anew."""
        if not isinstance(state, Mapping) or state.get("version") != VERSION:
            return None
        return cls(state["since"], {sid: (created, fate) for sid, (created, fate) in state["seen"].items()})

    def written(self) -> dict[str, Any]:
        """As it is stored: plain JSON."""
        return {"version": VERSION, "since": self.since, "seen": {sid: [*known] for sid, known in self.seen.items()}}

    def move_on(self, look_back: dt.timedelta, oldest_left: str | None) -> None:
        """Let the window begin ``look_back`` before the newest message that was told.

        The oldest are told first, so new messages not told yet are newer than that. A change not told yet may be an
        older message's, the oldest one's of ``oldest_left``: the window waits for it.
        """
        newest = max((created for created, _ in self.seen.values()), default="")
        # ISO dates of one form compare as text.
        if newest:
            begin = _earlier(newest, look_back)
            self.since = max(self.since, begin if oldest_left is None else min(begin, oldest_left))
        kept = sorted(self.seen.items(), key=lambda item: item[1][0], reverse=True)
        if len(kept) > MOST_REMEMBERED:
            # Too many for the whole window: it begins after the second of the newest that is forgotten.
            self.since = max(self.since, _earlier(kept[MOST_REMEMBERED][1][0], dt.timedelta(seconds=-1)))
        self.seen = {sid: known for sid, known in kept if known[0] >= self.since}


async def poll(context: Context, payload: Mapping[str, Any], inputs: Mapping[str, Any]) -> Result:
    """Tell what has changed since the last poll: ``{"created": […], "updated": […]}`` in ``body.data``, oldest first.

    The first poll tells nothing: it only notes where the list ends. ``updated`` are messages created within the
    look-back window whose status, error or price is not what it was when they were last told. At most ``limit`` of each
    are told; the rest comes with the next polls. ``polledNoChanges`` says that there is nothing. The memory goes into
    ``instanceState``.
    """
    memory = Memory.read(context.instance_state.get(_STATE))
    if memory is None:
        return _result(payload, await _begin(context, inputs), [], [])
    created = _Oldest(inputs["limit"])
    updated = _Oldest(inputs["limit"])
    async for one in _window(context, inputs, memory.since):
        known = memory.seen.get(one["sid"])
        if known is None:
            created.offer(one)
        elif known[1] != _fate(one):
            updated.offer(one)
    for one in (*created.taken, *updated.taken):
        memory.seen[one["sid"]] = (one["dateCreated"], _fate(one))
    memory.move_on(dt.timedelta(minutes=inputs["lookBackMinutes"]), updated.oldest_left)
    return _result(
        payload,
        memory,
        created.in_order() if inputs["showNewRecords"] else [],
        updated.in_order() if inputs["showUpdatedRecords"] else [],
    )


class _Oldest:
    """The oldest of many messages, at most so many of them; a message that comes twice counts once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[_Newest, str]] = []
        self._by_sid: dict[str, Message] = {}
        self.oldest_left: str | None = None
        """The date of the oldest message that found no place."""

    @property
    def taken(self) -> list[Message]:
        """Those that found a place."""
        return [*self._by_sid.values()]

    def offer(self, one: Message) -> None:
        sid = one["sid"]
        if sid in self._by_sid:
            return
        self._by_sid[sid] = one
        heapq.heappush(self._heap, (_Newest((one["dateCreated"], sid)), sid))
        if len(self._heap) > self._limit:
            _, dropped = heapq.heappop(self._heap)
            date = self._by_sid.pop(dropped)["dateCreated"]
            self.oldest_left = date if self.oldest_left is None else min(self.oldest_left, date)

    def in_order(self) -> list[Message]:
        """The oldest first."""
        return sorted(self._by_sid.values(), key=lambda one: (one["dateCreated"], one["sid"]))


class _Newest(tuple[str, str]):
    """Compares the other way round, so that a heap gives the newest first."""

    __slots__ = ()

    def __lt__(self, other: tuple[str, ...]) -> bool:
        return tuple.__gt__(self, other)


async def _begin(context: Context, inputs: Mapping[str, Any]) -> Memory:
    """Note the end of the list: the newest message, and all that were created in the same second."""
    newest = ""
    seen = {}
    async for one in _window(context, inputs, ""):
        newest = newest or one["dateCreated"]
        if one["dateCreated"] < newest:
            break
        seen[one["sid"]] = (one["dateCreated"], _fate(one))
    return Memory(newest, seen)


async def _window(context: Context, inputs: Mapping[str, Any], since: str) -> AsyncIterator[Message]:
    """The messages that pass the filters and were created since then, the newest first."""
    client = client_for(context, inputs["twilioConnection"])
    asked = [*parameters(inputs, {"to": "To", "from": "From"}), ("PageSize", str(PAGE))]
    async for page in client.pages(f"{client.account_path}/Messages.json", "messages", asked):
        for resource in page:
            one = message(resource)
            if one["dateCreated"] < since:
                return
            yield one


def _fate(one: Message) -> str:
    return hashlib.sha256(json.dumps([one[name] for name in _FATE]).encode()).hexdigest()[:16]


def _earlier(date: str, by: dt.timedelta) -> str:
    return iso_time(dt.datetime.fromisoformat(date) - by)


def _result(payload: Mapping[str, Any], memory: Memory, created: list[Message], updated: list[Message]) -> Result:
    return Result(
        value={**payload, "body": {"data": {"created": created, "updated": updated}}},
        instance_state={_STATE: memory.written()},
        extra={"polledNoChanges": not created and not updated},
    )
