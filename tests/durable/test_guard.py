"""At most once: what the guard makes of answers, failures, deaths and what it finds afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from support.waiting import until_async

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.sending.conditions import AllOf, Proceed
from twilio_component.durable.sending.guard import Guard
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import CallIdentity, Claim
from twilio_component.durable.sending.rate_limiter import RateLimiter
from twilio_component.durable.sending.throttle import Throttle
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.host.errors import PerformError
from twilio_component.host.results import Candidate

if TYPE_CHECKING:
    import datetime as dt

    from twilio_component.durable.sending.conditions import SendConditions
    from twilio_component.flows.send_order import SendOrder
    from twilio_component.flows.send_rules import FrequencyCaps, QuietHours
    from twilio_component.host.contacts import Contact

QUICK = Settings(timeout=0.2, lag_bound=0.2)
RESENDING = Settings(timeout=0.2, lag_bound=0.2, resend=True)
PATIENT = Settings(timeout=0.2, lag_bound=30)
OPTED_OUT = Failure(code="x", message="opted out", permanent=True, reason="21610")


class LostError(PerformError):
    may_have_happened = True


class SlowAfterAllError(LostError):
    throttled = "sender"


class LostConnectionError(LostError):
    not_sent = retryable = True


class RefusedError(PerformError):
    pass


class TooManyError(PerformError):
    throttled = "sender"
    retry_after = 0.01


@dataclass
class FakeCall:
    """A call whose attempts go as told: an error, or the id of what it does. ``seen`` is what a list would show."""

    attempts: list[Exception | str | None]
    seen: list[Candidate] | None = field(default_factory=list)
    limit_keys: Mapping[str, str] = field(default_factory=lambda: {"connection": "c", "sender": "s"})
    sender: str = "s"
    expired: Failure | None = None
    contact: Contact | None = None
    opted_out: Failure = OPTED_OUT
    order: SendOrder | None = None
    question: str | None = None
    opted_out_reasons: frozenset[str] = frozenset({"21610"})
    quiet_hours: QuietHours | None = None
    frequency_caps: FrequencyCaps | None = None
    flow_key: str = "I/F"
    meanwhile: Callable[[], Awaitable[Any]] | None = None
    longest_wait: float = 3600.0
    must_identify: bool = True
    looks: int = 0
    made: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    cannot_look: list[Exception] = field(default_factory=list)

    async def perform_once(self, _seconds: float) -> dict[str, Any]:
        self.made += 1
        self.begun.set()
        outcome = self.attempts.pop(0)
        if self.meanwhile is not None:
            await self.meanwhile()
        if isinstance(outcome, Exception):
            raise outcome
        return {"data": {"sid": outcome}}

    def failure(self, error: Exception) -> Failure:
        return Failure(code="x", message="y", outcome_unknown=getattr(error, "may_have_happened", True))

    def envelope_for(self, effect: str) -> dict[str, Any]:
        return {"data": {"sid": effect}}

    def resource_id(self, envelope: Mapping[str, Any]) -> str | None:
        sid: str | None = envelope["data"]["sid"]
        return sid or None

    def last_call(self, _entry: object) -> None:
        return None

    async def find_candidates(self, _since: dt.datetime) -> list[Candidate] | None:
        self.looks += 1
        self.looked.set()
        if self.cannot_look:
            raise self.cannot_look.pop(0)
        return self.seen


class Machine:
    """A process with a guard, over a store that survives it."""

    def __init__(
        self,
        database: Database,
        settings: Settings = QUICK,
        *,
        worker_id: str = "one",
        alive: bool = True,
        conditions: AllOf | None = None,
    ) -> None:
        self.database = database
        self.runs = RunStore(database)
        self.intents = IntentStore(database)
        self.guard = Guard(
            self.intents,
            settings,
            Throttle(10),
            RateLimiter(database, settings.rates, most_seconds=1),
            worker_id=worker_id,
            is_dead=lambda other: other != worker_id,
            may_write=lambda: alive,
            conditions=conditions,
        )

    async def answer(self, fake_call: FakeCall, *, run: str = "run", fingerprint: str = "same") -> Any:
        await store_run(self.database, run)
        call = identity(run, fingerprint, guarded=fake_call)
        await self.guard.perform(call, fake_call)
        kept = await self.runs.entry_at(run, 1)
        assert kept is not None
        return kept.value.get("failure", {}).get("code") or kept.value["envelope"]["data"]["sid"]


def identity(run: str, fingerprint: str = "same", guarded: FakeCall | None = None) -> CallIdentity:
    keys = tuple(guarded.limit_keys.values()) if guarded is not None else ()
    return CallIdentity(run=run, ordinal=1, step_id="send", fingerprint=fingerprint, limit_keys=keys)


async def store_run(database: Database, run: str) -> None:
    runs = RunStore(database)
    digest = await runs.define("flow.yaml", "text")
    await runs.accept(NewRun(id=run, definition=digest, integration="I", flow="F", payload={}))


async def reason_shown(database: Database) -> str | None:
    """Why the run's call waits, as an operator is shown it."""
    (*_, step) = (await RunViews(database).show("run"))["steps"] or [{}]
    reason: str | None = step.get("reason")
    return reason


async def left_in_doubt(database: Database, run: str = "run", fingerprint: str = "same") -> None:
    """What a process leaves that dies after it has entered a call."""
    call = identity(run, fingerprint)
    await store_run(database, run)
    intents = IntentStore(database)
    await intents.plan(call)
    assert (await intents.claim(call, 0, "dead")).attempt == 1


def message(sid: str, *, equal: bool = True) -> Candidate:
    return Candidate(id=sid, data={"sid": sid}, equal=equal)


async def test_an_answer_is_kept_and_the_call_is_not_made_again(database: Database) -> None:
    fake_call = FakeCall(["SM1", "SM2"])
    assert await Machine(database).answer(fake_call) == "SM1"
    assert await Machine(database, worker_id="two").answer(fake_call) == "SM1"
    assert fake_call.made == 1


async def test_a_refusal_is_kept_as_a_failure(database: Database) -> None:
    fake_call = FakeCall([RefusedError("no")])
    assert await Machine(database).answer(fake_call) == "x"
    assert (fake_call.made, fake_call.looks) == (1, 0)


async def test_too_many_requests_lose_nothing(database: Database) -> None:
    fake_call = FakeCall([TooManyError("slower"), TooManyError("slower"), "SM1"])
    assert await Machine(database).answer(fake_call) == "SM1"
    assert fake_call.made == 3


class UnsentError(PerformError):
    not_sent = True
    retryable = True


async def test_what_could_not_be_sent_waits_and_is_sent_when_there_is_a_connection(database: Database) -> None:
    fake_call = FakeCall([UnsentError("no connection"), UnsentError("no connection"), "SM1"])
    machine = Machine(database, Settings(timeout=0.2, lag_bound=0.0))
    await store_run(database, "run")
    answering = asyncio.create_task(machine.answer(fake_call))
    while (reason := await reason_shown(database)) is None:  # noqa: ASYNC110 - a row
        await asyncio.sleep(0.02)
    assert reason == "perform-failed"
    assert await answering == "SM1"
    assert (fake_call.made, fake_call.looks) == (3, 0)


async def test_a_call_that_cannot_be_sent_in_its_time_fails_and_is_not_unknown(database: Database) -> None:
    fake_call = FakeCall([UnsentError("no connection")] * 100, longest_wait=0.8)
    assert await Machine(database).answer(fake_call) == "not-sent"
    assert fake_call.looks == 0


async def test_a_pause_that_is_longer_than_a_request_may_take_is_waited_out(database: Database) -> None:
    class LongPauseError(PerformError):
        throttled = "sender"
        retry_after = 1.0

    fake_call = FakeCall([LongPauseError("slower"), "SM1"])
    machine = Machine(database, Settings(timeout=0.2, lag_bound=0.0))
    assert await machine.answer(fake_call) == "SM1"
    assert (fake_call.made, fake_call.looks) == (2, 0)


@pytest.mark.parametrize("named", ["", None])
async def test_a_success_that_names_nothing_is_looked_for(database: Database, named: str | None) -> None:
    fake_call = FakeCall([named], seen=[message("SM1")])
    assert await Machine(database).answer(fake_call) == "SM1"
    assert (fake_call.made, fake_call.looks > 0) == (1, True)
    assert await Machine(database).answer(FakeCall([named]), run="other") == "outcome-unknown"


async def test_a_success_that_names_another_calls_message_is_looked_for(database: Database) -> None:
    machine = Machine(database)
    assert await machine.answer(FakeCall(["SM1"]), run="first", fingerprint="a") == "SM1"
    fake_call = FakeCall(["SM1"], seen=[message("SM2"), message("SM1")])
    assert await machine.answer(fake_call, run="second", fingerprint="b") == "SM2"


async def test_a_response_that_cannot_be_stored_is_neither_a_success_nor_a_failure(database: Database) -> None:
    class Odd(FakeCall):
        async def perform_once(self, seconds: float) -> dict[str, Any]:
            envelope = await super().perform_once(seconds)
            return {"data": {**envelope["data"], "body": "half a pair: \ud83d"}}

    fake_call = Odd(["SM1"], seen=[message("SM1")])
    assert await Machine(database).answer(fake_call) == "SM1"
    assert (fake_call.made, fake_call.looks > 0) == (1, True)
    # What the list shows of it cannot be stored either: then its id is all that is kept.
    odd = Candidate(id="SM2", data={"sid": "SM2", "body": "\ud83d"}, equal=True)
    assert await Machine(database).answer(Odd(["SM2"], seen=[odd]), run="other") == "SM2"


async def test_who_is_told_to_slow_down_in_one_process_is_held_back_in_all(url: str) -> None:
    class SlowlyError(PerformError):
        throttled = "sender"
        retry_after = 0.5

    made: dict[str, list[float]] = {"told": [], "same": [], "other": []}

    def fake_call(name: str, attempts: list[Exception | str | None], sender: str = "s") -> FakeCall:
        async def noted() -> None:
            made[name].append(time.monotonic())

        return FakeCall(attempts, limit_keys={"connection": "c", "sender": sender}, meanwhile=noted)

    async def scenario(databases: list[Database]) -> None:
        one, two = (Machine(database, worker_id=name) for name, database in zip("12", databases, strict=True))
        told = asyncio.create_task(one.answer(fake_call("told", [SlowlyError("slower"), "SM1"]), run="told"))
        call = identity("told")
        while not made["told"] or (await one.intents.plan(call)).state != "planned":  # noqa: ASYNC110 - a row
            await asyncio.sleep(0.01)
        same = two.answer(fake_call("same", ["SM2"]), run="same")
        other = two.answer(fake_call("other", ["SM3"], "other"), run="other")
        assert [*await asyncio.gather(told, same, other)] == ["SM1", "SM2", "SM3"]

    databases = [Database(url), Database(url)]
    databases[0].create()
    await scenario(databases)
    assert made["same"][0] - made["told"][0] >= 0.5
    assert made["told"][1] - made["told"][0] >= 0.5
    assert made["other"][0] < made["same"][0]
    for database in databases:
        database.close()


@pytest.mark.parametrize(
    "lost",
    [LostError("lost"), SlowAfterAllError("slow"), LostConnectionError("cut"), TimeoutError(), ValueError("a bug")],
)
async def test_a_lost_answer_is_looked_for_and_found(database: Database, lost: Exception) -> None:
    fake_call = FakeCall([lost], seen=[message("SM1")])
    assert await Machine(database).answer(fake_call) == "SM1"
    assert fake_call.made == 1


async def test_a_call_that_a_dead_process_entered_is_looked_for_before_it_is_made(database: Database) -> None:
    await left_in_doubt(database)
    fake_call = FakeCall(["SM2"], seen=[message("SM1")])
    assert await Machine(database).answer(fake_call) == "SM1"
    assert fake_call.made == 0


async def test_what_is_not_found_within_the_lag_bound_is_unknown_or_made_again(database: Database) -> None:
    await left_in_doubt(database, "first")
    await left_in_doubt(database, "second")
    fake_call = FakeCall(["SM2"])
    assert await Machine(database).answer(fake_call, run="first") == "outcome-unknown"
    assert fake_call.made == 0
    assert await Machine(database, RESENDING).answer(fake_call, run="second") == "SM2"
    assert fake_call.made == 1


async def test_what_looks_different_proves_nothing_and_is_not_sent_again(database: Database) -> None:
    await left_in_doubt(database)
    fake_call = FakeCall([], seen=[message("SM1", equal=False)])
    assert await Machine(database, RESENDING).answer(fake_call) == "outcome-unknown"


async def test_one_message_never_proves_two_equal_calls(database: Database) -> None:
    await left_in_doubt(database, "first")
    await left_in_doubt(database, "second")
    machine = Machine(database, RESENDING)
    fake_calls = [FakeCall(["SM2"], seen=[message("SM1")]), FakeCall(["SM3"], seen=[message("SM1")])]
    answers = await asyncio.gather(
        machine.answer(fake_calls[0], run="first"), machine.answer(fake_calls[1], run="second")
    )
    assert list(answers) == ["SM1", "SM3"]
    assert [fake_call.made for fake_call in fake_calls] == [0, 1]


async def test_a_message_that_may_be_that_of_an_equal_call_under_way_is_not_taken(database: Database) -> None:
    await left_in_doubt(database, "dead")
    machine, answered = Machine(database, PATIENT), asyncio.Event()
    alive = FakeCall(["SM1"], meanwhile=answered.wait)
    under_way = asyncio.create_task(machine.answer(alive, run="alive"))
    await alive.begun.wait()
    in_doubt = FakeCall([], seen=[message("SM1")])
    doubtful = asyncio.create_task(machine.answer(in_doubt, run="dead"))
    await in_doubt.looked.wait()
    answered.set()
    assert await under_way == "SM1"
    in_doubt.seen = [message("SM2"), message("SM1")]
    assert await doubtful == "SM2"


async def test_without_a_way_to_look_an_unknown_outcome_stays_unknown(database: Database) -> None:
    assert await Machine(database, RESENDING).answer(FakeCall([LostError("lost")], seen=None)) == "outcome-unknown"


async def test_a_look_that_fails_is_not_proof_of_absence(database: Database) -> None:
    class AwayError(PerformError):
        retryable = True

    fake_call = FakeCall([LostError("lost")], seen=[message("SM1")], cannot_look=[AwayError("away")] * 3)
    assert await Machine(database, RESENDING).answer(fake_call) == "SM1"
    forbidden = FakeCall([LostError("lost")], cannot_look=[RefusedError("no")] * 20)
    assert await Machine(database, RESENDING).answer(forbidden, run="other") == "outcome-unknown"


async def test_who_comes_second_joins_the_call_that_is_under_way(database: Database) -> None:
    # A request that outlives its time limit, as on a busy machine, is in doubt: it is looked for, not joined.
    machine, may_end = Machine(database, Settings(timeout=60)), asyncio.Event()
    fake_call = FakeCall(["SM1"], meanwhile=may_end.wait)
    impatient = asyncio.create_task(machine.answer(fake_call))
    await fake_call.begun.wait()
    impatient.cancel()
    patient = asyncio.create_task(machine.answer(fake_call))
    await asyncio.wait([patient], timeout=0.02)
    may_end.set()
    assert await patient == "SM1"
    assert fake_call.made == 1
    await machine.guard.drain()


async def test_a_claim_whose_confirmation_is_lost_is_used_and_not_given_up_as_unknown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, fake_call = Machine(database, Settings(timeout=60)), FakeCall(["SM1"])
    await store_run(database, "run")
    perform_once, lost = database._perform_once, 0

    async def lose_one(work: Any, *arguments: Any) -> Any:
        nonlocal lost
        found = await perform_once(work, *arguments)
        if not lost and isinstance(found, list) and any(isinstance(one, Claim) for one in found):
            lost += 1
            raise StoreUnavailableError("lost after the commit")
        return found

    monkeypatch.setattr(database, "_perform_once", lose_one)
    assert await machine.answer(fake_call) == "SM1"
    assert (lost, fake_call.made, fake_call.looks) == (1, 1, 0)


class Counter:
    """A condition that counts the claims of calls."""

    def __init__(self) -> None:
        self.uncounted: list[str] = []

    async def judge(self, _call: CallIdentity, _guarded: FakeCall) -> Proceed:
        return Proceed()

    async def uncount(self, call: CallIdentity, _guarded: FakeCall) -> None:
        self.uncounted.append(call.run)


async def test_a_call_that_was_claimed_and_then_not_sent_in_time_does_not_count_as_a_message(
    database: Database,
) -> None:
    late = Failure(code="expired", message="too late")
    counter = Counter()
    machine = Machine(database, conditions=AllOf([cast("SendConditions", counter)]))
    throttled = FakeCall([TooManyError("slow down")])

    async def expire() -> None:
        throttled.expired = late

    throttled.meanwhile = expire
    assert await machine.answer(throttled, run="throttled") == "expired"
    assert await machine.answer(FakeCall([], expired=late), run="never claimed") == "expired"
    assert await machine.answer(FakeCall(["SM1"]), run="sent") == "SM1"
    assert counter.uncounted == ["throttled"]


async def test_a_process_that_must_not_write_any_more_leaves_it_to_another(database: Database) -> None:
    fake_call, stopping = FakeCall(["SM1"]), Machine(database, alive=False)
    answering = asyncio.create_task(stopping.answer(fake_call))
    await until_async(lambda: stopping.guard._under_way, "the call is under way")
    await stopping.guard.abandon()
    await asyncio.gather(answering, return_exceptions=True)
    assert fake_call.made == 0
    assert await Machine(database, worker_id="two").answer(fake_call) == "SM1"


async def test_a_sender_with_a_rate_keeps_to_it_and_loses_nothing(database: Database) -> None:
    machine = Machine(database, Settings(timeout=1, rates={"s": 4}))
    fake_calls = {f"run-{number}": FakeCall([f"SM{number}"]) for number in range(5)}
    begun = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(machine.answer(fake_call, run=run) for run, fake_call in fake_calls.items()))
    assert list(answers) == [f"SM{number}" for number in range(5)]
    assert asyncio.get_running_loop().time() - begun > 1


@pytest.mark.parametrize("seen", [[], [message("SM1", equal=False)]])
async def test_a_signed_callback_proves_what_was_done(database: Database, seen: list[Candidate]) -> None:
    machine = Machine(database, PATIENT)
    fake_call = FakeCall([LostError("lost")], seen=seen)
    answering = asyncio.create_task(machine.answer(fake_call))
    await fake_call.looked.wait()
    await machine.intents.confirm("run:1", "SM1")
    await machine.intents.confirm("run:1", "SM9")
    assert await answering == "SM1"
    await left_in_doubt(database, "other")
    await machine.intents.confirm("other:1", "SM1")
    assert (await machine.intents.plan(identity("other"))).resource_id is None


async def test_a_callback_that_comes_while_the_call_waits_to_be_sent_again_is_its_result(database: Database) -> None:
    await left_in_doubt(database)
    machine, fake_call = Machine(database, RESENDING), FakeCall(["SM2"], limit_keys={"connection": "c", "sender": "s"})
    call = identity("run", guarded=fake_call)
    await machine.intents.doubt(call, 1)
    await machine.intents.resend(call, 1)
    await machine.intents.confirm(call.key, "SM1")
    assert await machine.answer(fake_call) == "SM1"
    assert fake_call.made == 0


@pytest.mark.parametrize("attempt", [RefusedError("no"), "SM2"], ids=["refused", "sent"])
async def test_a_callback_of_the_first_request_that_comes_during_the_second_is_the_result(
    database: Database, attempt: Exception | str
) -> None:
    await left_in_doubt(database)
    machine = Machine(database, RESENDING)
    fake_call = FakeCall([attempt], meanwhile=lambda: machine.intents.confirm("run:1", "SM1"))
    assert await machine.answer(fake_call) == "SM1"
    assert fake_call.made == 1


class SlowClaims(IntentStore):
    """A store whose first claims take so long that their requests must not begin any more."""

    slow = 2

    async def claim(self, *arguments: Any, **options: Any) -> Claim:
        claim = await super().claim(*arguments, **options)
        if self.slow:
            self.slow -= 1
            await asyncio.sleep(2 * QUICK.claim)
        return claim


async def test_where_requests_do_not_begin_in_time_fewer_are_made_at_a_time(database: Database) -> None:
    throttle, store = Throttle(10), SlowClaims(database)
    guard = Guard(
        store,
        QUICK,
        throttle,
        RateLimiter(database, {}, most_seconds=1),
        worker_id="one",
        is_dead=lambda _: False,
        may_write=lambda: True,
    )
    await store_run(database, "run")
    fake_call = FakeCall(["SM1"])

    entry = await guard.perform(identity("run"), fake_call)

    assert entry is not None
    assert (fake_call.made, entry.value["envelope"]["data"]["sid"]) == (1, "SM1")
    assert throttle.in_flight < 10
