"""Two processes drive one call: every order of their statements, their requests and the time between them.

Explored exhaustively to the end of two attempts, up to a number of preemptions: places where a driver that could go on
has to wait while the other one goes on, or time passes. ``SIMULATION_PREEMPTIONS`` sets it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from simulation.database import Server, SimulatedDatabase
from simulation.exploration import Choices, PrunedError, explore, relative, state_of
from simulation.loop import PROCESS, SimulatedLoop
from sqlalchemy import insert, select

from twilio_component.durable.sending import intents as states
from twilio_component.durable.sending.guard import Guard
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import CallIdentity
from twilio_component.durable.sending.rate_limiter import RateLimiter
from twilio_component.durable.sending.throttle import Throttle
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import schema
from twilio_component.durable.store.run_status import RUNNING
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.host.results import Candidate
from twilio_component.twilio.errors import OutcomeUnknownError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Hashable

    from twilio_component.flows.send_order import SendOrder
    from twilio_component.flows.send_rules import FrequencyCaps, QuietHours
    from twilio_component.host.contacts import Contact

DRIVERS = ("a", "b")
SETTINGS = Settings(resend=True, lag_bound=0.04, timeout=0.1)
EPOCH = 1_000_000.0
ABSOLUTE = {"begun", "since", "claimed_at", "created_at"}
CALL = CallIdentity(run="r", ordinal=0, step_id="send", fingerprint="f")
ATTEMPTS = 2
PREEMPTIONS = int(os.environ.get("SIMULATION_PREEMPTIONS", "1"))
"""How often a driver that could go on has to wait while the other one, or time, does: most races need one or two."""


@dataclass
class Scene:
    """What the drivers share: who waits for a turn, whose was the last one, and when each message becomes visible."""

    choices: Choices
    loop: SimulatedLoop
    waiting: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    visible_at: list[float] = field(default_factory=list)
    requests: int = 0
    last: str = ""
    preemptions: int = 0

    async def turn(self) -> None:
        """Wait until the scene's director lets this driver take its next step."""
        future = self.loop.create_future()
        self.waiting[PROCESS.get()] = future
        try:
            await future
        finally:
            self.waiting.pop(PROCESS.get(), None)

    def state(self, row: Any, guards: list[Guard]) -> Hashable:
        """Return everything on which it depends what can happen from here on, with times relative to now."""
        now, server_now = self.loop.time(), self.loop.time() + EPOCH

        def reference(name: str) -> float:
            if name in ABSOLUTE:
                return server_now
            return now if name.endswith("_at") else 0.0

        stored = tuple(
            relative(value, server_now) if isinstance(value, float) else value
            for value in (row if row is not None else ())
        )
        drivers = tuple(
            tuple(state_of(task.get_coro(), reference) for task in guard._under_way.values()) for guard in guards
        )
        timers = tuple(tuple(round(one - now, 4) for one in self.loop.timers(name)) for name in DRIVERS)
        shown = tuple(max(0.0, round(at - now, 4)) for at in self.visible_at)
        return stored, drivers, timers, shown, self.requests, self.last, self.preemptions, tuple(sorted(self.waiting))


class TurnDatabase(SimulatedDatabase):
    """A database whose transactions wait for their turn."""

    scene: Scene

    async def _perform(self, work: Callable[[Any], Any], _threads: Any, _engine: Any) -> Any:
        await self.scene.turn()
        return self._server.transaction(work)


class OneCall:
    """The call: its request is accepted or not, its response arrives or not, the list shows it now or late."""

    expired: Failure | None = None
    longest_wait = 86_400.0
    must_identify = True
    sender = "+15017122661"
    limit_keys: Mapping[str, str] = {"connection": "c", "sender": "c:s"}
    contact: Contact | None = None
    opted_out = Failure(code="opted-out", message="opted out", permanent=True)
    order: SendOrder | None = None
    question: str | None = None
    opted_out_reasons: frozenset[str] = frozenset()
    quiet_hours: QuietHours | None = None
    frequency_caps: FrequencyCaps | None = None
    flow_key = "I/F"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def perform_once(self, _seconds: float = 0.0) -> dict[str, Any]:
        scene = self._scene
        await scene.turn()
        scene.requests += 1
        lost = scene.requests < ATTEMPTS
        outcome = scene.choices.choice(("answered", "lost", "lost, shown late", "refused")) if lost else "answered"
        if outcome != "refused":
            late = 0.9 * SETTINGS.lag_bound if outcome.endswith("late") else 0.0
            scene.visible_at.append(scene.loop.time() + late)
            assert len(scene.visible_at) == 1, "sent twice"
        if outcome != "answered":
            raise OutcomeUnknownError("no response")
        return {"data": {"sid": f"SM{len(scene.visible_at)}"}}

    def failure(self, error: Exception) -> Failure:
        return Failure(code="x", message="x", outcome_unknown=isinstance(error, (TimeoutError, OutcomeUnknownError)))

    def envelope_for(self, resource_id: str) -> dict[str, Any]:
        return {"data": {"sid": resource_id}}

    def resource_id(self, envelope: Mapping[str, Any]) -> str | None:
        return str(envelope["data"]["sid"])

    def last_call(self, _entry: object) -> None:
        return None

    async def find_candidates(self, _since: dt.datetime) -> list[Candidate] | None:
        scene = self._scene
        await scene.turn()
        shown = [number for number, at in enumerate(scene.visible_at, 1) if at <= scene.loop.time()]
        return [Candidate(id=f"SM{number}", data={"sid": f"SM{number}"}, equal=True) for number in shown]


class DriversFirst(Random):
    """Lets the drivers run as far as they can before the director chooses."""

    def choice(self, options: Any) -> Any:
        return max(options)


def make_guard(scene: Scene, server: Server, name: str) -> Guard:
    """Make the guard of one driver."""
    database = TurnDatabase(server)
    database.scene = scene
    return Guard(
        IntentStore(database),
        SETTINGS,
        Throttle(10, database.clock),
        RateLimiter(database, {}, most_seconds=9, clock=database.clock),
        worker_id=name,
        is_dead=lambda _: False,
        may_write=lambda: True,
        clock=database.clock,
    )


def stored_intent(server: Server) -> Any:
    """Return the call's row, if there is one."""
    with server.engine.connect() as connection:
        return connection.execute(select(schema.intents)).one_or_none()


def next_step(scene: Scene, timer: float | None) -> str:
    """Choose which driver goes on, or time."""
    steps = [*sorted(scene.waiting), *(["time"] if timer is not None else [])]
    could_go_on = scene.last in scene.waiting
    if could_go_on and scene.preemptions == PREEMPTIONS:
        steps = [scene.last]
    step = scene.choices.choice(steps)
    scene.preemptions += could_go_on and step != scene.last
    scene.last = step
    return step


async def play(scene: Scene, server: Server) -> None:
    """Let both drivers go on, step by step, until both have ended."""
    loop, choices = scene.loop, scene.choices
    with server.engine.begin() as connection:
        connection.execute(insert(schema.definitions).values(digest="d", file="f", text="t"))
        run = {"id": "r", "definition": "d", "integration": "i", "flow": "f", "state": RUNNING, "created_at": 0.0}
        connection.execute(insert(schema.runs).values(run))
    tasks, guards = [], []
    for name in DRIVERS:
        guards.append(make_guard(scene, server, name))
        with loop.process(name):
            tasks.append(loop.create_task(guards[-1].perform(CALL, OneCall(scene))))
    while True:
        while not all(loop.is_waiting(name) for name in DRIVERS):  # noqa: ASYNC110 - it lets them run
            await asyncio.sleep(0)
        if all(task.done() for task in tasks):
            break
        if choices.is_new:
            row = stored_intent(server)
            if row is not None and row.attempt > ATTEMPTS:
                raise PrunedError  # that is as far as this test looks
            choices.at(scene.state(row, guards))
        timer = loop.next_timer(DRIVERS)
        step = next_step(scene, timer)
        if step != "time":
            scene.waiting[step].set_result(None)
        elif timer is not None:
            await asyncio.sleep(timer - loop.time())
    for task in tasks:
        task.result()
    row = stored_intent(server)
    assert (row.state, row.resource_id, len(scene.visible_at)) == (states.SETTLED, "SM1", 1)


def direct(choices: Choices) -> None:
    """Play the scene once."""
    loop = SimulatedLoop(DriversFirst())  # type: ignore[abstract]
    server = Server(loop, DriversFirst())
    try:
        loop.run(play(Scene(choices, loop), server), within=1_000)
    finally:
        loop.close()


def test_in_every_order_of_two_drivers_one_message_is_sent_and_named() -> None:
    _, states_reached = explore(direct)
    assert states_reached > 1_000
