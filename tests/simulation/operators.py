"""An operator: stops, resumes and retries runs at any moment, and says of no message that exists that it does not."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from simulation import workflows
from simulation.database import SimulatedDatabase
from sqlalchemy import or_, select

from twilio_component.durable import ids
from twilio_component.durable.errors import RunStateError, StoreUnavailableError, UnknownRunError
from twilio_component.durable.operator.item_selection import ItemSelection
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.retry import RETRYABLE
from twilio_component.durable.operator.retry_plan import Retry
from twilio_component.durable.sending.intents import CLAIMED, IN_DOUBT, SETTLED, UNKNOWN
from twilio_component.durable.store import run_status, schema
from twilio_component.durable.store.runs import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.operated import OperatedWorld
    from simulation.workflows import SimulatedQueue
    from sqlalchemy import Connection

_Found = TypeVar("_Found")
_ACTIONS_IN_PEACE = 4
_GRACE = 3.0
_MOST_PURGED = 500
_UNKNOWN = ItemSelection(state=UNKNOWN)
_WAYS = (
    *(Retry(), Retry(), Retry(items=ItemSelection()), Retry(items=ItemSelection(number=1))),
    *(Retry(resend=True), Retry(resend=True), Retry(resend=True, items=_UNKNOWN)),
    *(Retry(definition="current"), Retry(resend=True, definition="current")),
    Retry(resend=True, items=_UNKNOWN, definition="current"),
)


class OperatorsDatabase(SimulatedDatabase):
    """The operator's way to the database. ``check`` is part of each transaction that retries a run."""

    check: Callable[[Connection], None]

    async def run_at_one_moment(self, work: Callable[[Connection], _Found]) -> _Found:
        def checked(connection: Connection) -> _Found:
            self.check(connection)
            return work(connection)

        return await self.run(checked)  # here every transaction has a moment of its own


class Operator:
    """Acts while there is trouble, and a few times in peace."""

    def __init__(self, world: OperatedWorld, queue: SimulatedQueue) -> None:
        self._world = world
        self._database = OperatorsDatabase(world.server)
        self._operations = Operations(self._database, queue)

    async def work(self) -> None:
        """Do something now and then; what is refused, or fails since the database is away, is left."""
        world, random = self._world, self._world.random
        pause, left = random.choice((0.3,) if world.is_refusing else (1.0, 4.0, 15.0)), _ACTIONS_IN_PEACE
        while left:
            await asyncio.sleep(random.expovariate(1 / pause) if world.is_troubled else 10.0)
            left -= not world.is_troubled
            world.check_stops()
            states = [*world.states().items()]
            if states:  # else all has been purged
                with suppress(RunStateError, UnknownRunError, StoreUnavailableError):
                    await self._act(*random.choice(states))

    async def resume_all(self) -> None:
        """Resume what is paused, and the lists that have stopped."""
        self._world.check_stops()
        for run, state in self._world.states().items():
            if state in (run_status.PAUSED, run_status.LIST_STOPPED):
                with suppress(RunStateError):
                    await self._resume(run)

    async def _resume(self, run: str) -> None:
        # One that was paused may stop for the first time, for what was refused before and is an item's end only now.
        had_stopped, over = self._world.states().get(run) == run_status.LIST_STOPPED, self._world.calls_over(run)
        await self._operations.resume(run)
        if had_stopped:
            self._world.over_when_resumed[run] = over

    async def _act(self, run: str, state: str) -> None:
        random, operations = self._world.random, self._operations
        if random.random() < self._world.purging:
            await self._purge()
            return
        if state in RETRYABLE and random.random() < (0.1 if self._world.is_refusing else 0.8):
            how = random.choice(_WAYS)
            self._database.check = lambda connection: self._raise_unless_true(connection, run) if how.resend else None
            again = await operations.retry_as(run, how)
            self._world.note(f"{run} is retried as {again.id}: {how}")
            return
        actions = {
            run_status.RUNNING: (operations.pause, operations.pause, operations.cancel, operations.release),
            run_status.PAUSED: (self._resume, self._resume, operations.cancel),
            run_status.CANCELLED: (self._resume,),
            run_status.LIST_STOPPED: (self._resume, self._resume, self._resume, operations.cancel),
            run_status.UNKNOWN: (operations.resolve,),
        }.get(state, ())
        if actions:
            action = random.choice(actions)
            await action(run)
            self._world.note(f"{action.__name__.strip('_')} {run}")

    async def _purge(self) -> None:
        """Purge all that has ended, as ``Operations.purge`` does with the engine's client."""
        runs, world = RunStore(self._database), self._world
        self._world.remember()
        due = await runs.give_up_before(world.server.now(), _MOST_PURGED)
        of_runs = await runs.workflows_of(due)
        await self._database.run(partial(workflows.remove, ids=of_runs))
        await runs.forget(due)
        world.note(f"purged: {due}")

    def _raise_unless_true(self, connection: Connection, run: str) -> None:
        """Raise ``RunStateError`` when a message exists that the run's open calls have made, or may yet appear.

        One that a callback has proven does not count: the retry must find it by itself. Operators who err overlook what
        exists, and are excused; but whatever is proven before it is sent again must not be.
        """
        intents, now = schema.intents.c, self._world.server.now()
        is_open = or_(intents.state.in_((CLAIMED, IN_DOUBT, UNKNOWN)), intents.resource_id.is_not(None))
        of_run = (intents.run.in_(ids.lineage(run)), intents.state != SETTLED, is_open)
        made = {message.call: message for message in self._world.twilio.messages}
        for call in connection.execute(select(intents.key, intents.claimed_at, intents.resource_id).where(*of_run)):
            if call.resource_id is not None:
                continue
            is_early = now - call.claimed_at < self._world.settings.request_bound + _GRACE
            if is_early or (call.key in made and not self._world.errs):
                raise RunStateError("the operator finds the message at Twilio, or waits for it")
            if call.key in made:
                self._world.excuse(made[call.key])
