"""At most once: how an action that must not be repeated is carried out, whatever dies in between.

The way of a call: *planned* (an intent is stored), *entered* (one process has claimed the right to write the request),
*settled* (the answer is stored). A call that is found entered without an answer is never simply made again: when its
request is certainly over it is *doubtful*, and what it may have done is looked for. Found: settled. Not found within
the lag bound: unknown, or planned anew where the deployment asks for that.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Protocol

from twilio_component.durable import crash_points
from twilio_component.durable.errors import RunStopped
from twilio_component.durable.sending import intents
from twilio_component.durable.sending.intents import Settlement
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.host.errors import PerformError

if TYPE_CHECKING:
    from twilio_component.durable.crash_points import CrashPoints
    from twilio_component.durable.sending.intents import Call, Intent, IntentStore
    from twilio_component.durable.sending.rate_limiter import RateLimiter
    from twilio_component.durable.sending.throttle import Throttle
    from twilio_component.durable.settings import Settings
    from twilio_component.host.results import Candidate

_LOGGER = logging.getLogger("twilio_component.durable")

CLOCK_SKEW = 30.0
"""Seconds by which Twilio's clock and the database's may differ."""
_MOMENT = 0.05
_FIRST_LOOK, _LONGEST_LOOK = 0.2, 5.0


class GuardedCall(Protocol):
    """One call, as the guard sees it."""

    @property
    def expired(self) -> Failure | None:
        """Why it is not to be begun any more, if that is so."""

    @property
    def limit_keys(self) -> Mapping[str, str]:
        """By whom it is slowed down: a key for ``connection`` and one for ``sender``."""

    @property
    def sender(self) -> str:
        """Who sends, by the name under which it may have a rate."""

    async def perform_once(self) -> dict[str, Any]:
        """Do it; the envelope, or an exception."""

    def failure(self, error: Exception) -> Failure:
        """What the exception means to the flow."""

    def envelope_for(self, resource_id: str) -> dict[str, Any]:
        """The envelope of which no more is known than the id of what was done."""

    def resource_id(self, envelope: Mapping[str, Any]) -> str | None:
        """The id of what was done."""

    async def find_candidates(self, since: dt.datetime) -> list[Candidate] | None:
        """What may be its doing; None when nothing can tell."""


class Guard:
    """Carries out calls at most once.

    ``worker_id`` names this process. ``is_dead`` says of another one whether it certainly writes nothing any more;
    ``may_write`` whether this process still may.
    """

    def __init__(
        self,
        intents: IntentStore,
        settings: Settings,
        throttles: Throttle,
        rate_tokens: RateLimiter,
        *,
        worker_id: str,
        is_dead: Callable[[str], bool],
        may_write: Callable[[], bool],
        crash_points: CrashPoints,
    ) -> None:
        self._intents = intents
        self._settings = settings
        self._holds = throttles
        self._paces = rate_tokens
        self._boot = worker_id
        self._is_dead = is_dead
        self._may_write = may_write
        self._checkpoints = crash_points
        self._writing = 0
        self._under_way: dict[str, asyncio.Task[JournalEntry | None]] = {}

    async def drain(self) -> None:
        """Wait until no request is under way; that no new one begins is up to ``may_write``."""
        while self._writing:  # noqa: ASYNC110 - it ends but once in a process's life
            await asyncio.sleep(_MOMENT)

    async def abandon(self) -> None:
        """Leave every call as it is stored, to be gone on with by another process."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def perform(self, call: Call, deed: GuardedCall) -> JournalEntry | None:
        """Carry out the call, or wait until it has been: then its answer is kept with its run; what is kept, if known.

        A call that is under way in this process is joined, not made again; whoever gives up waiting does not stop it.
        Raises ``RunStopped`` when the run is stopped before the request is written.
        """
        task = self._under_way.get(call.key)
        if task is None:
            task = self._under_way[call.key] = asyncio.create_task(self._carry_out(call, deed))
            task.add_done_callback(lambda _: self._under_way.pop(call.key))
        return await asyncio.shield(task)

    async def _carry_out(self, call: Call, deed: GuardedCall) -> JournalEntry | None:
        begun = time.time()
        self._checkpoints.hit(crash_points.BEFORE_INTENT)
        intent = await self._intents.plan(call)
        self._checkpoints.hit(crash_points.INTENT)
        kept = None
        while intent.state not in (intents.SETTLED, intents.UNKNOWN):
            if intent.state == intents.PLANNED:
                kept = await self._attempt(call, deed, begun)
                if kept is not None:
                    break
            elif intent.state == intents.CLAIMED:
                await self._outlive(intent)
                await self._intents.doubt(call, intent.claimed_by)
            else:
                await self._reconcile(call, deed, intent, begun)
            intent = await self._intents.plan(call)
        self._checkpoints.hit(crash_points.SETTLED)
        return kept

    async def _attempt(self, call: Call, deed: GuardedCall, begun: float) -> JournalEntry | None:
        """Write the request, if it may be written now; the answer, if it is kept."""
        while not self._may_write():  # noqa: ASYNC110 - what it depends on is a clock
            await asyncio.sleep(_MOMENT)
        paced = self._paces.token(deed.limit_keys["sender"], deed.sender)
        async with paced as taken_at, self._holds.turn(deed.limit_keys), self._write():
            claimed_at = time.monotonic()
            if claimed_at - taken_at > self._settings.claim or not self._may_write():
                return None  # its turn took so long that the token may soon be another's, or that this process stops
            entry = await self._intents.claim(call, self._boot, deed.limit_keys.values())
            if not entry.claimed:
                if entry.stopped:
                    raise RunStopped
                for key, seconds in entry.held.items():
                    self._holds.hold(key, seconds)
                return None
            self._checkpoints.hit(crash_points.CLAIMED)
            if (expired := deed.expired) is not None:
                return await self._settled(call, Settlement(_kept(call, expired), begun))
            if time.monotonic() - claimed_at > self._settings.claim or not self._may_write():
                # Others may soon believe that this request is over: it must not begin now.
                await self._intents.withdraw(call, intents.CLAIMED, self._boot)
                return None
            try:
                async with asyncio.timeout(self._settings.timeout):
                    envelope = await deed.perform_once()
            except Exception as error:  # noqa: BLE001 - whatever it was, what it means must be stored
                return await self._failed(call, deed, error, begun)
        self._checkpoints.hit(crash_points.RESPONDED)
        answer = Settlement(
            JournalEntry(step_id=call.step_id, value={"envelope": envelope}), begun, deed.resource_id(envelope)
        )
        kept = await self._settled(call, answer)
        if kept is None:
            _LOGGER.error("%s: the answer names something that was taken for the doing of another call", call.key)
            kept = await self._settled(call, replace(answer, resource_id=None))
        return kept

    async def _settled(self, call: Call, settlement: Settlement) -> JournalEntry | None:
        return settlement.kept if await self._intents.settle(call, settlement) else None

    async def _failed(self, call: Call, deed: GuardedCall, error: Exception, begun: float) -> JournalEntry | None:
        if isinstance(error, PerformError) and error.throttled is not None:
            key = deed.limit_keys[error.throttled]
            self._holds.hold(key, await self._intents.throttle(call, self._boot, key, error.retry_after))
            return None
        failure = deed.failure(error)
        if failure.outcome_unknown or isinstance(error, TimeoutError):
            _LOGGER.warning("%s: the outcome is unknown (%s); looking for it", call.key, failure.code)
            await self._intents.doubt(call, self._boot)
            return None
        return await self._settled(call, Settlement(_kept(call, failure), begun))

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[None]:
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1

    async def _outlive(self, intent: Intent) -> None:
        """Wait until the request that another process entered is certainly over."""
        if intent.claimed_by is None or not self._is_dead(intent.claimed_by):
            await asyncio.sleep(max(0.0, self._request_bound - intent.age))

    async def _reconcile(self, call: Call, deed: GuardedCall, intent: Intent, begun: float) -> None:
        since = dt.datetime.fromtimestamp((intent.since or begun) - CLOCK_SKEW, dt.UTC)
        decided_at = time.monotonic() + self._request_bound + self._settings.lag_bound - intent.age
        pause = _FIRST_LOOK
        while True:
            over = time.monotonic() >= decided_at
            try:
                candidates = await deed.find_candidates(since)
            except PerformError as error:
                if over and not error.retryable:
                    await self._give_up(call, f"it could not be looked for ({error.code})", begun)
                    return
                candidates, over = [], False  # nothing was seen: nothing may be concluded
            proved = (await self._intents.plan(call)).resource_id
            if proved is not None:
                await self._take(call, deed, proved, candidates or [], begun)
                return
            if candidates is None:
                await self._give_up(call, "nothing tells whether it happened", begun)
                return
            if await self._decided(call, candidates, begun, over=over):
                return
            await asyncio.sleep(min(pause, max(0.05, decided_at - time.monotonic())) if not over else pause)
            pause = min(2 * pause, _LONGEST_LOOK)

    async def _take(
        self, call: Call, deed: GuardedCall, proved: str, candidates: list[Candidate], begun: float
    ) -> None:
        """A signed callback has said what the call did."""
        found = next((candidate for candidate in candidates if candidate.id == proved), None)
        envelope = {"data": found.data} if found is not None else deed.envelope_for(proved)
        kept = JournalEntry(step_id=call.step_id, value={"envelope": envelope})
        await self._intents.settle(call, Settlement(kept, begun, proved), only_in_doubt=True)

    async def _decided(self, call: Call, candidates: list[Candidate], begun: float, *, over: bool) -> bool:
        claimed = await self._intents.resources_taken([candidate.id for candidate in candidates])
        unclaimed = [candidate for candidate in reversed(candidates) if candidate.id not in claimed]
        equal = [candidate for candidate in unclaimed if candidate.equal]
        earlier, under_way = await self._intents.rank(call)
        # Equal calls cannot tell their effects apart, so the oldest takes the oldest. While one of them is under way,
        # what is seen may be its doing, and its answer will say so.
        if len(equal) > earlier and not under_way:
            found = equal[earlier]
            kept = JournalEntry(step_id=call.step_id, value={"envelope": {"data": found.data}})
            return await self._intents.settle(call, Settlement(kept, begun, found.id), only_in_doubt=True)
        if not over:
            return False
        if len(equal) < len(unclaimed) or under_way:
            await self._give_up(call, "something was found that may be its doing, or may not", begun)
        elif self._settings.resend:
            await self._intents.withdraw(call, intents.IN_DOUBT, None)
        else:
            await self._give_up(call, "nothing was found that would be its doing", begun)
        return True

    async def _give_up(self, call: Call, reason: str, begun: float) -> None:
        failure = Failure(
            code="outcome-unknown",
            message=f"it may have happened: {reason}. It is not done again until somebody decides",
            outcome_unknown=True,
        )
        unknown = Settlement(_kept(call, failure), begun, state=intents.UNKNOWN)
        await self._intents.settle(call, unknown, only_in_doubt=True)

    @property
    def _request_bound(self) -> float:
        return self._settings.claim + self._settings.timeout


def _kept(call: Call, failure: Failure) -> JournalEntry:
    return JournalEntry(step_id=call.step_id, value={"failure": asdict(failure)})
