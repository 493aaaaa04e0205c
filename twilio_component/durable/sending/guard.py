"""At most once: how a call that must not be repeated is made, whatever dies in between.

A call is *planned* (an intent is stored), *claimed* (one process has the right to write one request), and *settled*
(the outcome is stored). A request that was certainly not processed (too many requests, no connection) is planned again
and waits its turn. A call that is found claimed without an outcome is never simply repeated: once its request is
certainly over it is *in doubt*, and what it may have created is looked for. Found: settled. Not found within the lag
bound: unknown, or planned again if the deployment asks to resend.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from twilio_component.durable.clock import Clock
from twilio_component.durable.crash_points import BEFORE_INTENT, CLAIMED, INTENT, RESPONDED, SETTLED, CrashPoints
from twilio_component.durable.errors import CallHeld, RunStopped
from twilio_component.durable.observation import Observer
from twilio_component.durable.sending import intents
from twilio_component.durable.sending.conditions import AllOf, HoldUntil, Refuse
from twilio_component.durable.sending.intents import Hold, Settlement, Settling
from twilio_component.durable.sending.reconciler import Reconciler, failed_entry
from twilio_component.durable.sending.send_meter import SendMeter
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.upsert import storable_json
from twilio_component.durable.task_ends import end_tasks
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.host.errors import PerformError

if TYPE_CHECKING:
    from twilio_component.durable.sending.claim_condition import ClaimCondition
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intent_store import IntentStore
    from twilio_component.durable.sending.intents import CallIdentity, Intent
    from twilio_component.durable.sending.rate_limiter import RateLimiter
    from twilio_component.durable.sending.throttle import Throttle
    from twilio_component.durable.settings import Settings

_LOGGER = logging.getLogger("twilio_component.durable")

_MOMENT = 0.05
_RECHECK_SECONDS = 15.0
_SHORT_HOLD = 1.0
_LONGEST_IN_MEMORY = 5.0


class Guard:
    """Makes calls at most once.

    ``worker_id`` names this process. ``is_dead`` returns whether another one certainly writes nothing any more;
    ``may_write`` returns whether this process still may. ``conditions`` say when a call may be made.
    """

    def __init__(
        self,
        intents: IntentStore,
        settings: Settings,
        throttle: Throttle,
        rate_limiter: RateLimiter,
        *,
        worker_id: str,
        is_dead: Callable[[str], bool],
        may_write: Callable[[], bool],
        conditions: AllOf | None = None,
        crash_points: CrashPoints | None = None,
        clock: Clock | None = None,
        observer: Observer | None = None,
        sender_names: Mapping[str, str] | None = None,
    ) -> None:
        self._intents = intents
        self._settings = settings
        self._throttle = throttle
        self._rate_limiter = rate_limiter
        self._worker_id = worker_id
        self._is_dead = is_dead
        self._may_write = may_write
        self._conditions = conditions or AllOf()
        self._crash_points = crash_points or CrashPoints()
        self.clock = self._clock = clock or Clock()
        self._meter = SendMeter(observer or Observer(), sender_names or {}, self._clock)
        self._reconciler = Reconciler(intents, settings, self._clock)
        self._writing = 0
        self._under_way: dict[str, asyncio.Task[JournalEntry | None]] = {}

    @property
    def requests_under_way(self) -> int:
        """How many requests this process is writing or waits for a response to."""
        return self._writing

    async def drain(self) -> None:
        """Wait until no request is under way; ``may_write`` sees to it that no new one begins."""
        while self._writing:
            await self._clock.sleep(_MOMENT)

    async def abandon(self) -> None:
        """Leave every call as it is stored, for another process to continue."""
        await end_tasks(list(self._under_way.values()))

    async def perform(self, call: CallIdentity, guarded: GuardedCall, *, may_park: bool = False) -> JournalEntry | None:
        """Make the call, or wait until it has been made; the entry if this process has journaled it, else None.

        A call that is under way in this process is joined, not made again, and a caller that is cancelled does not stop
        it. Raises ``RunStopped`` when the run is stopped before the request is written, and ``CallHeld`` when the call
        must wait for longer than a moment and is an iteration's, or of a run that ``may_park``.
        """
        task = self._under_way.get(call.key)
        if task is None:
            task = self._under_way[call.key] = asyncio.create_task(self._complete(call, guarded, may_park=may_park))
            task.add_done_callback(lambda _: self._under_way.pop(call.key))
        return await asyncio.shield(task)

    async def _complete(self, call: CallIdentity, guarded: GuardedCall, *, may_park: bool) -> JournalEntry | None:
        started = self._clock.now()
        self._crash_points.hit(BEFORE_INTENT)
        asked_at = self._clock.monotonic()
        intent = await self._intents.plan(call)
        self._crash_points.hit(INTENT)
        entry, reconciled = None, False
        while entry is None and intent.state in intents.OPEN:
            if intent.state == intents.PLANNED and intent.resource_id is None:
                entry = await self._attempt(call, guarded, intent, started, may_park=may_park)
            elif intent.state == intents.CLAIMED:
                await self._outlive(intent)
                await self._intents.doubt(call, intent.attempt)
            else:
                reconciled = True
                await self._reconciler.reconcile(call, guarded, intent, started, asked_at=asked_at)
            if entry is None:
                asked_at = self._clock.monotonic()
                intent = await self._intents.plan(call)
        self._meter.end(guarded, entry, intent, reconciled=reconciled)
        self._crash_points.hit(SETTLED)
        await self._conditions.end(call, guarded)
        return entry

    # An attempt: one request. Everything that may take long is waited for before the claim.

    async def _attempt(
        self, call: CallIdentity, guarded: GuardedCall, intent: Intent, started: float, *, may_park: bool
    ) -> JournalEntry | None:
        overdue = guarded.expired or _waited_too_long(guarded, intent)
        if overdue is not None:
            await self._end_hold(call, intent)
            return await self._settle_unsent(call, guarded, intent, overdue, started)
        while not self._may_write():
            await self._clock.sleep(_MOMENT)
        verdict = await self._conditions.judge(call, guarded)
        if isinstance(verdict, Refuse):
            await self._end_hold(call, intent)
            return await self._settle_unsent(call, guarded, intent, verdict.failure, started)
        if isinstance(verdict, HoldUntil):
            await self._hold(call, intent, verdict, self._patience(call, started, may_park=may_park))
            return None
        await self._end_hold(call, intent)
        asked_at = self._clock.monotonic()
        may_go_on = await self._throttle.wait(call.limit_keys, _RECHECK_SECONDS)
        self._meter.wait("throttle", since=asked_at)
        if not may_go_on:
            return None
        entry = await self._take_turn(call, guarded, intent, started, verdict.claim_conditions)
        if entry is None and verdict.claim_conditions:
            await self._clock.sleep(_MOMENT)  # a condition may have been false in the claim; it is judged again
        return entry

    def _patience(self, call: CallIdentity, started: float, *, may_park: bool) -> float:
        """Seconds for which this process itself still waits with a call that is held."""
        if call.item is not None:
            return _SHORT_HOLD
        return max(0.0, started + _LONGEST_IN_MEMORY - self._clock.now()) if may_park else math.inf

    async def _hold(self, call: CallIdentity, intent: Intent, hold: HoldUntil, patience: float) -> None:
        """Store why the call waits, and wait; not for longer than a moment, since an operator may stop the run.

        Raises ``CallHeld`` when the hold lasts longer than the process has ``patience``.
        """
        stored = Hold(kind=hold.kind, reason=hold.reason, until=hold.until)
        if intent.hold != stored:
            self._meter.end_hold(await self._intents.hold(call, intent.attempt, stored))
        until = hold.until if hold.recheck is None else None  # it may end sooner
        left = _RECHECK_SECONDS if until is None else until - self._clock.now()
        if (hold.recheck is not None and not patience) or (until is not None and left > max(patience, _SHORT_HOLD)):
            raise CallHeld(hold.kind, hold.until, hold.recheck)
        seconds = min(max(left, _MOMENT), _RECHECK_SECONDS)
        if hold.wake is None:
            await self._clock.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with self._clock.timeout(seconds):
                await hold.wake.wait()

    async def _end_hold(self, call: CallIdentity, intent: Intent) -> None:
        if intent.hold is not None:
            self._meter.end_hold(await self._intents.hold(call, intent.attempt, None))

    async def _take_turn(
        self,
        call: CallIdentity,
        guarded: GuardedCall,
        intent: Intent,
        started: float,
        conditions: tuple[ClaimCondition, ...],
    ) -> JournalEntry | None:
        """Wait for a token and a slot, and make one request with them."""
        asked_at = self._clock.monotonic()
        async with self._rate_limiter.token(guarded.limit_keys["sender"], guarded.sender) as taken_at:
            has_token_at = self._meter.wait("rate", since=asked_at)
            async with self._throttle.slot():
                now = self._meter.wait("in-flight", since=has_token_at)
                is_late = now - taken_at > self._settings.claim  # then the token may soon be another's
                self._writing += 1
                try:
                    if is_late or self._throttle.seconds_left(call.limit_keys) or not self._may_write():
                        return None
                    return await self._claim_and_write(call, guarded, intent, started, conditions)
                finally:
                    self._writing -= 1

    async def _claim_and_write(
        self,
        call: CallIdentity,
        guarded: GuardedCall,
        intent: Intent,
        started: float,
        conditions: tuple[ClaimCondition, ...],
    ) -> JournalEntry | None:
        claimed_at = self._clock.monotonic()
        attempt = await self._claim(call, intent, conditions)
        if attempt is None:
            return None
        if (expired := guarded.expired) is not None:
            entry = await self._settle_failure(call, attempt, expired, started)
            await self._conditions.uncount(call, guarded)
            return entry
        if self._clock.monotonic() - claimed_at > self._settings.claim or not self._may_write():
            # Others may soon believe that this request is over: it must not start now.
            self._throttle.narrow()
            await self._intents.withdraw(call, attempt)
            return None
        return await self._write_request(call, guarded, attempt, started)

    async def _claim(self, call: CallIdentity, intent: Intent, conditions: tuple[ClaimCondition, ...]) -> int | None:
        """The number of the attempt that was claimed, or None; raises ``RunStopped``."""
        claim = await self._intents.claim(call, intent.attempt, self._worker_id, conditions)
        if claim.is_stopped:
            raise RunStopped
        for key, seconds in claim.throttled.items():
            self._throttle.remember(key, seconds)
        if claim.attempt is not None:
            self._crash_points.hit(CLAIMED)
        return claim.attempt

    async def _write_request(
        self, call: CallIdentity, guarded: GuardedCall, attempt: int, started: float
    ) -> JournalEntry | None:
        self._meter.write(call)
        try:
            async with self._clock.timeout(self._settings.timeout):
                envelope = await guarded.perform_once(self._settings.timeout)
        except Exception as error:  # noqa: BLE001 - whatever it is, its meaning must be stored
            return await self._handle_error(call, guarded, attempt, error, started)
        self._crash_points.hit(RESPONDED)
        self._throttle.note_success(call.limit_keys)
        resource_id = guarded.resource_id(envelope)
        if guarded.must_identify and resource_id is None:
            _LOGGER.warning("%s: the response names nothing that was created; looking for it", call.key)
            await self._intents.doubt(call, attempt)
            return None
        value = {"envelope": envelope}
        text = storable_json(value)
        if text is None:
            _LOGGER.warning("%s: the response cannot be stored; looking for what was created", call.key)
            if resource_id is not None:
                await self._intents.confirm(call.key, resource_id, wait_for_database=True)
            await self._intents.doubt(call, attempt)
            return None
        entry = JournalEntry(step_id=call.step_id, value=value, text=text)
        settlement = Settlement(entry, started, resource_id, last=guarded.last_call(entry))
        settling = await self._intents.settle(call, attempt, settlement)
        if settling == Settling.SETTLED:
            return entry
        if settling == Settling.RESOURCE_TAKEN:
            _LOGGER.error("%s: the response names what another call has created; looking for its own", call.key)
            await self._intents.doubt(call, attempt)
        elif settling == Settling.PROVEN:
            _LOGGER.error("%s: attempt %d succeeded although an earlier one had, too", call.key, attempt)
            await self._intents.doubt(call, attempt)
        elif resource_id is not None:
            _LOGGER.error("%s: attempt %d succeeded after another one had begun", call.key, attempt)
            await self._intents.confirm(call.key, resource_id, wait_for_database=True)
        return None

    async def _handle_error(
        self, call: CallIdentity, guarded: GuardedCall, attempt: int, error: Exception, started: float
    ) -> JournalEntry | None:
        if isinstance(error, PerformError) and (limited := _limited_by(error)) is not None:
            key = guarded.limit_keys[limited]
            since = self._throttle.seconds_since_success(key)
            seconds = await self._intents.throttle(
                call, attempt, key, error.retry_after, error.code, since_success=since
            )
            _LOGGER.warning("%s was not sent (%s); trying again in %.1f s", call.key, error.code, seconds)
            self._throttle.remember(key, seconds)
            self._meter.throttle(guarded, error.reason or error.code)
            return None
        failure = guarded.failure(error)
        # One that acted has succeeded with a result that cannot be kept.
        if failure.outcome_unknown or failure.acted or isinstance(error, TimeoutError):
            _LOGGER.warning("%s: the outcome is unknown (%s); looking for it", call.key, failure.code)
            await self._intents.doubt(call, attempt)
            return None
        await self._conditions.learn(call, guarded, failure)
        return await self._settle_failure(call, attempt, failure, started)

    async def _settle_unsent(
        self, call: CallIdentity, guarded: GuardedCall, intent: Intent, failure: Failure, started: float
    ) -> JournalEntry | None:
        """End a planned call; an earlier attempt at it may have been counted as a message."""
        states = (intents.PLANNED,)
        entry = await self._settle_failure(call, intent.attempt, failure, started, from_states=states)
        if entry is not None and intent.attempt:
            await self._conditions.uncount(call, guarded)
        return entry

    async def _settle_failure(
        self,
        call: CallIdentity,
        attempt: int,
        failure: Failure,
        started: float,
        *,
        from_states: tuple[str, ...] = intents.OPEN,
    ) -> JournalEntry | None:
        entry = failed_entry(call, failure)
        settling = await self._intents.settle(call, attempt, Settlement(entry, started), from_states=from_states)
        if settling == Settling.PROVEN:
            await self._intents.doubt(call, attempt)  # this attempt has failed, but an earlier one had not
        return entry if settling == Settling.SETTLED else None

    # In doubt

    async def _outlive(self, intent: Intent) -> None:
        """Wait until the request that another process has claimed is certainly over."""
        # By our own clock from now on, but for what certainly went by before, in a process that died perhaps.
        if intent.claimed_by is None or not self._is_dead(intent.claimed_by):
            await self._clock.sleep(max(0.0, self._settings.request_bound - intent.certain_age))


def _limited_by(error: PerformError) -> str | None:
    """What must wait with a call that was certainly not processed, and may succeed later: the connection or the sender.

    A component may say of an error that the call may have happened all the same: then it is not repeated.
    """
    if error.may_have_happened:
        return None
    return error.throttled or ("connection" if error.not_sent and error.retryable else None)


def _waited_too_long(guarded: GuardedCall, intent: Intent) -> Failure | None:
    if intent.age <= guarded.longest_wait:
        return None
    hours = guarded.longest_wait / 3600
    return Failure(code="not-sent", message=f"it could not be sent within {hours:g} h; nothing was sent")
