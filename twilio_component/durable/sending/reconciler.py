"""Finds out what became of a call in doubt, by what the provider shows of it.

Found: settled. Not found within the lag bound: unknown, or planned again if the deployment asks to resend; but neither
once a signed callback has proven what the call created, however late that comes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from twilio_component.durable.sending import intents
from twilio_component.durable.sending.intents import CLOCK_SKEW, Settlement, Settling
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.upsert import storable_json
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.host.errors import PerformError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from twilio_component.durable.clock import Clock
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intent_store import IntentStore
    from twilio_component.durable.sending.intents import CallIdentity, Intent, OtherCalls
    from twilio_component.durable.settings import Settings
    from twilio_component.host.results import Candidate

_MOMENT = 0.05
_FIRST_LOOK, _LONGEST_LOOK = 0.2, 5.0
_PATIENCE = 600.0  # seconds to wait for other calls, whose resource may be what is seen


class Reconciler:
    """Takes calls out of doubt."""

    def __init__(self, intents: IntentStore, settings: Settings, clock: Clock) -> None:
        self._intents = intents
        self._settings = settings
        self._clock = clock
        # What a call created that was claimed this much earlier is not among what is looked at.
        self._reach = settings.request_bound + settings.lag_bound + CLOCK_SKEW

    async def reconcile(
        self, call: CallIdentity, guarded: GuardedCall, intent: Intent, started: float, *, asked_at: float
    ) -> None:
        """Look for what this attempt created until it is not in doubt any more, or somebody else has decided.

        ``asked_at`` is when the intent was asked for, by the monotonic clock: the process may have been frozen since.
        """
        began = self._clock.monotonic()
        ago = CLOCK_SKEW + (intent.claimed_ago if intent.claimed_ago is not None else self._clock.now() - started)
        # What has been waited in processes that then died counts: else one that dies again and again decides nothing.
        bound = self._settings.request_bound + self._settings.lag_bound
        decided_at = began + max(0.0, bound - intent.certain_age)
        last_at = decided_at + _PATIENCE
        pause = _FIRST_LOOK
        while True:
            is_over = self._clock.monotonic() >= decided_at
            try:
                # By this machine's clock of now, whatever it was set to since the claim.
                since = self._clock.wall() - (ago + self._clock.monotonic() - asked_at)
                candidates = await guarded.find_candidates(dt.datetime.fromtimestamp(since, dt.UTC))
            except PerformError as error:
                if is_over and not error.retryable:
                    await self._give_up(call, intent, f"the search for it failed ({error.code})", started)
                    return
                candidates, is_over = [], False  # nothing was seen, so nothing may be concluded
            now = await self._intents.plan(call)
            if (now.state, now.attempt) != (intent.state, intent.attempt):
                return
            if now.resource_id is not None:
                await self._settle_confirmed(call, guarded, now, candidates or [], started)
                return
            if candidates is None:
                await self._give_up(call, intent, "there is no way to verify it", started)
                return
            is_last = self._clock.monotonic() >= last_at
            if await self._judge(call, guarded, intent, candidates, started, is_over=is_over, is_last=is_last):
                return
            left = max(_MOMENT, decided_at - self._clock.monotonic())
            await self._clock.sleep(pause if is_over else min(pause, left))
            pause = min(2 * pause, _LONGEST_LOOK)

    async def _settle_confirmed(
        self, call: CallIdentity, guarded: GuardedCall, intent: Intent, candidates: list[Candidate], started: float
    ) -> None:
        """Settle a call of which a signed callback, or its own response, has proven what it created."""
        resource_id = intent.resource_id
        assert resource_id is not None  # noqa: S101 - the caller has checked it
        found = next((candidate for candidate in candidates if candidate.id == resource_id), None)
        envelope = {"data": found.data} if found is not None else guarded.envelope_for(resource_id)
        states = (intents.IN_DOUBT, intents.PLANNED)  # it may have been planned again before the proof came
        await self._settle_found(call, guarded, intent, envelope, started, from_states=states)

    async def _settle_found(
        self,
        call: CallIdentity,
        guarded: GuardedCall,
        intent: Intent,
        envelope: Mapping[str, Any],
        started: float,
        *,
        from_states: Collection[str] = (intents.IN_DOUBT,),
    ) -> bool:
        resource_id = guarded.resource_id(envelope)
        if resource_id is not None and storable_json(envelope) is None:
            envelope = guarded.envelope_for(resource_id)
        entry = JournalEntry(step_id=call.step_id, value={"envelope": envelope})
        settlement = Settlement(entry, started, resource_id)
        settling = await self._intents.settle(call, intent.attempt, settlement, from_states=from_states)
        return settling == Settling.SETTLED

    async def _judge(
        self,
        call: CallIdentity,
        guarded: GuardedCall,
        intent: Intent,
        candidates: list[Candidate],
        started: float,
        *,
        is_over: bool,
        is_last: bool,
    ) -> bool:
        """Decide the call by what is seen, all of which is there once the wait ``is_over``; False to look again."""
        others = await self._intents.other_calls(call, [candidate.id for candidate in candidates], reach=self._reach)
        if others.own is not None:
            await self._settle_confirmed(call, guarded, replace(intent, resource_id=others.own), candidates, started)
            return True
        free = [candidate for candidate in reversed(candidates) if candidate.id not in others.taken]
        equal = [candidate for candidate in free if candidate.equal]
        # Equal calls cannot tell their resources apart, so the oldest takes the oldest. While one of them is under way,
        # what is seen may be its own, and its response will say so.
        if len(equal) > others.earlier and not others.under_way and not _may_be_a_later_call_s(equal, free, others):
            own = equal[others.earlier]
            # If another call has just taken it, only another look tells what is still free.
            return await self._settle_found(call, guarded, intent, {"data": own.data}, started)
        if not is_over:
            return False
        if free and not is_last and others.is_any_open:
            return False  # what is seen may soon be known to be another call's
        if free:
            await self._give_up(call, intent, "something was found that may or may not be its result", started)
        elif self._settings.resend:
            await self._intents.resend(call, intent.attempt)
        else:
            await self._give_up(call, intent, "nothing was found that it could have created", started)
        return True

    async def _give_up(self, call: CallIdentity, intent: Intent, reason: str, started: float) -> None:
        failure = Failure(
            code="outcome-unknown",
            message=f"outcome unknown: {reason}. Not retried; resolve the run, or retry it with --resend",
            outcome_unknown=True,
        )
        unknown = Settlement(failed_entry(call, failure), started, state=intents.UNKNOWN)
        await self._intents.settle(call, intent.attempt, unknown, from_states=(intents.IN_DOUBT,))


def _may_be_a_later_call_s(equal: Sequence[Candidate], free: Sequence[Candidate], others: OtherCalls) -> bool:
    """Whether the equal candidate may be a later call's, and an older one this call's, in words that were changed.

    Twilio adds how to stop to the first message to a person, and not to the second.
    """
    own = equal[others.earlier]
    has_older = any(not one.equal for one in free[: free.index(own)])
    return has_older and len(equal) <= others.earlier + others.later


def failed_entry(call: CallIdentity, failure: Failure) -> JournalEntry:
    """The journal entry of a call that failed."""
    return JournalEntry(step_id=call.step_id, value={"failure": asdict(failure)})
