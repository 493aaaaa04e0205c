"""Conditions of a send: whether a planned call may be made now, must wait, or must not be made at all.

The guard asks before each attempt. What it is told here was true a moment ago: what must still hold when the right to
write the request is stored is a ``ClaimCondition``, checked in the transaction of the claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from twilio_component.durable.errors import Recheck
    from twilio_component.durable.sending.claim_condition import ClaimCondition
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intents import CallIdentity
    from twilio_component.flows.interpreter.effects import Failure

QUIET_HOURS, CAP = "quiet-hours", "cap"
"""Kinds of holds; a call that waits for another one of its conversation is held by ``store.waits.ORDER``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proceed:
    """The call may be made, provided that the ``claim_conditions`` hold when it is claimed."""

    claim_conditions: tuple[ClaimCondition, ...] = ()


NOTHING_AGAINST_IT = Proceed()
"""The verdict of a condition that does not concern a call: the same for all, since there are several for each send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldUntil:
    """The call must wait. The hold is stored with its ``kind`` and ``reason``, which an operator is shown.

    ``until`` is when it may be made, in seconds since 1970, or None when nobody can tell. Where it may be made sooner
    there is a ``recheck``, which is asked in the transaction that lets the call's run wait as a row; before that, the
    guard asks again when ``wake`` is set, and every few seconds. A ``reason`` names no person and no number.
    """

    kind: str
    reason: str
    until: float | None = None
    wake: asyncio.Event | None = None
    recheck: Recheck | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call must not be made: it fails like this, and no request is written."""

    failure: Failure


Verdict = Proceed | HoldUntil | Refuse


class SendConditions(Protocol):
    """Says whether a planned call may be made now."""

    async def judge(self, call: CallIdentity, guarded: GuardedCall) -> Verdict:
        """Whether the call may be made now. It is asked before each attempt, also when the call has been held."""


@runtime_checkable
class Learning(Protocol):
    """A condition that learns from the failures of calls."""

    async def learn(self, call: CallIdentity, guarded: GuardedCall, failure: Failure) -> None:
        """Store what the failure says; called before the failure itself is stored, and perhaps again after a crash."""


@runtime_checkable
class Ending(Protocol):
    """A condition that must know when a call has ended."""

    async def end(self, call: CallIdentity, guarded: GuardedCall) -> None:
        """Note that the call has its result; called in the process that has made it."""


@runtime_checkable
class Counting(Protocol):
    """A condition that counts the claims of calls as messages."""

    async def uncount(self, call: CallIdentity, guarded: GuardedCall) -> None:
        """Count the call no more: it was claimed, and it has ended without being sent."""


class AllOf:
    """Several conditions as one: the first refusal counts, else the hold that surely lasts longest."""

    def __init__(self, conditions: Sequence[SendConditions] = ()) -> None:
        self._conditions = tuple(conditions)
        # Once: to look at what a condition can do costs more than to ask it.
        self._ending = [one for one in conditions if isinstance(one, Ending)]
        self._learning = [one for one in conditions if isinstance(one, Learning)]
        self._counting = [one for one in conditions if isinstance(one, Counting)]

    async def judge(self, call: CallIdentity, guarded: GuardedCall) -> Verdict:
        """Whether every condition lets the call be made now."""
        verdicts: list[Verdict] = []
        for condition in self._conditions:
            verdict = await condition.judge(call, guarded)
            if verdict is not NOTHING_AGAINST_IT:
                verdicts.append(verdict)
        if not verdicts:
            return NOTHING_AGAINST_IT
        if len(verdicts) == 1:
            return verdicts[0]
        refusal = next((verdict for verdict in verdicts if isinstance(verdict, Refuse)), None)
        if refusal is not None:
            return refusal
        holds = [verdict for verdict in verdicts if isinstance(verdict, HoldUntil)]
        if holds:
            return max(holds, key=lambda hold: (hold.recheck is None, hold.until or 0.0))
        proceeding = (verdict for verdict in verdicts if isinstance(verdict, Proceed))
        return Proceed(claim_conditions=tuple(one for verdict in proceeding for one in verdict.claim_conditions))

    async def end(self, call: CallIdentity, guarded: GuardedCall) -> None:
        """Let the conditions that must know it know that the call has ended."""
        for condition in self._ending:
            await condition.end(call, guarded)

    async def learn(self, call: CallIdentity, guarded: GuardedCall, failure: Failure) -> None:
        """Let the conditions that learn from failures do so."""
        for condition in self._learning:
            await condition.learn(call, guarded, failure)

    async def uncount(self, call: CallIdentity, guarded: GuardedCall) -> None:
        """Let the conditions that count claims count this call no more."""
        for condition in self._counting:
            await condition.uncount(call, guarded)
