"""Intents: the record of calls that must happen at most once, stored before any request is written.

The states of an intent and what changes them::

    planned ──claim──▶ claimed ──settle──▶ settled
       ▲                 │  │
       └────withdraw─────┘  └──doubt──▶ in_doubt ──settle──▶ settled, unknown
       └──────────────────resend───────────┘

A call that is proven to have created something (its ``resource_id``) is neither claimed again nor resent nor settled as
anything else, whatever its state is when the proof comes: it is settled by that proof.

Each claim gets the next *attempt* number, and every later change names the attempt that it is about. So a process that
acts on what it saw some time ago changes nothing once another attempt has begun, and two processes that drive the same
call are harmless. A claim also needs a run that exists and is running: a process that wakes up after its run has ended,
or has been purged, gets none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from twilio_component.durable import ids
from twilio_component.durable.store.call_states import CLAIMED, IN_DOUBT, OPEN, PLANNED, SETTLED, UNKNOWN

if TYPE_CHECKING:
    from twilio_component.durable.store.item_ends import LastCall
    from twilio_component.durable.store.journal import JournalEntry

__all__ = [
    "CLAIMED",
    "CLOCK_SKEW",
    "IN_DOUBT",
    "OPEN",
    "PLANNED",
    "SETTLED",
    "UNKNOWN",
    "CallIdentity",
    "Claim",
    "EndedHold",
    "Hold",
    "Intent",
    "OtherCalls",
    "Settlement",
    "Settling",
    "person_digest",
]


CLOCK_SKEW = 30.0
"""Seconds by which the database's clock may step while a call is in doubt.

How far the provider's clock is from this machine's is the component's to know: its responses tell.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIdentity:
    """The call that an intent is for: number ``ordinal`` of a run, made by the step ``step_id``.

    ``item`` is the id of the item whose iteration makes the call, if one does. ``fingerprint`` is equal for calls that
    nothing at the provider tells apart. ``redact_inputs`` returns what an operator may be shown of the inputs.
    ``limit_keys`` are the keys by which the call can be throttled. ``person`` is whom it reaches.
    """

    run: str
    ordinal: int
    step_id: str
    fingerprint: str
    item: str | None = None
    redact_inputs: Callable[[], Mapping[str, Any]] | None = None
    limit_keys: Collection[str] = ()
    person: str | None = None
    key: str = field(init=False)
    """The intent's key."""

    def __post_init__(self) -> None:
        """Make the key once: every step of the call is about it."""
        object.__setattr__(self, "key", ids.call_key(self.caller, self.ordinal))

    @property
    def caller(self) -> str:
        """The id under which the result is journaled: the item's of an iteration, else the run's."""
        return self.item or self.run


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a planned call waits (see ``conditions.HoldUntil``); ``until`` is in seconds since 1970, if it is known."""

    kind: str
    reason: str
    until: float | None = None


class EndedHold(NamedTuple):
    """The kind of a hold that is over, and for how many seconds it held its call, in all processes together."""

    kind: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An intent as it is stored.

    ``attempt`` is the number of its last claim, 0 before the first; ``age`` is how many seconds ago the call was
    planned, or could first be made where it was held; ``hold`` is why it waits; ``claimed_ago`` is how many seconds
    ago it was last claimed, by the clock of the database; ``resource_id`` is what the call is proven to have created;
    ``certain_age`` is how many seconds have certainly gone by since its last claim, however that clock has stepped.
    """

    state: str
    attempt: int
    claimed_by: str | None
    age: float
    claimed_ago: float | None
    resource_id: str | None
    hold: Hold | None = None
    certain_age: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The claim's ``attempt`` number, or None. Without one, these keys are ``throttled`` (seconds left by key).

    Or the run ``is_stopped``: it has ended, was cancelled or paused, or is gone. Or another process was faster.
    """

    attempt: int | None = None
    is_stopped: bool = False
    throttled: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a call: the result to journal, when the call started, and the id of what it created.

    ``last`` is what ends with this outcome, if something does.
    """

    entry: JournalEntry
    started: float
    resource_id: str | None = None
    state: str = SETTLED
    last: LastCall | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCalls:
    """What the store knew at one moment of the calls beside one in doubt.

    ``own`` is the resource that the call in doubt is proven to have created, and ``taken`` are those that are known to
    be another call's. Of the equal calls that are not known to have created one, and may have created what is seen,
    ``earlier`` and ``later`` are how many are in doubt and were claimed before this one and after it, and ``under_way``
    how many are claimed.
    ``is_any_open`` tells whether the outcome of a call of any running run is open.
    """

    own: str | None
    taken: frozenset[str]
    earlier: int
    under_way: int
    later: int = 0
    is_any_open: bool


class Settling(Enum):
    """What came of settling a call."""

    SETTLED = auto()
    SUPERSEDED = auto()
    """Another attempt has begun, or the call is settled; nothing was changed."""
    RESOURCE_TAKEN = auto()
    """The resource is known to be another call's; nothing was changed."""
    PROVEN = auto()
    """The call is proven to have created another resource than this; nothing was changed."""


def person_digest(person: str) -> str:
    """The digest by which calls to a person are found: the address itself is not stored with a call."""
    return hashlib.sha256(person.encode()).hexdigest()
