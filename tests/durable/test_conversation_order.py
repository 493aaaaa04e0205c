"""Messages to one person from one sender go out in the order in which their steps came."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, insert, update
from support.engine import HEAD, serving
from support.slow_transport import SlowFirstMessage
from support.waiting import until_async

from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.settings import Settings, settings_from
from twilio_component.durable.store import schema
from twilio_component.durable.store.new_runs import insert_runs
from twilio_component.durable.store.replies import digest_of
from twilio_component.emulator import Emulator
from twilio_component.flows.send_order import SendOrder
from twilio_component.host.errors import InputError
from twilio_component.host.questions import EffectReport

if TYPE_CHECKING:
    from support.engine import Served

QUICK = Settings(timeout=30, lag_bound=0.2)
SENDS = """\
  - name: FLOW
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Send
        action: twilio.sendSMS
        order: ORDER
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: {type: value, value: RECIPIENT}
          from: {type: value, value: "+15017122661"}
          message: {type: value, value: FLOW}
"""
ADA, BOB = "+15558675310", "+15558675311"
NAMES = ("first", "second", "third")


def flows(order: str = "conversation", *recipients: str) -> str:
    """A flow for each name that sends its own name."""
    to = [*recipients, *[ADA] * 3]
    return "".join(
        SENDS.replace("FLOW", name).replace("ORDER", order).replace("RECIPIENT", f'"{to[number]}"')
        for number, name in enumerate(NAMES)
    )


def texts(emulator: Emulator) -> list[str]:
    return [one.body for one in emulator.messages]


async def has_come_to_its_step(views: RunViews, run: str) -> bool:
    return len((await views.show(run))["steps"]) > 1


async def begin_in_turn(served: Served, *names: str) -> None:
    """Begin runs one after the other: each has come to its step before the next one begins."""
    views = RunViews(served.engine.database)
    for name in names:
        await served.begin(name, name)
        await until_async(partial(has_come_to_its_step, views, name), f"{name} has come to its step")


async def test_a_slow_first_message_is_still_the_first(tmp_path: Path) -> None:
    emulator = Emulator()
    network = SlowFirstMessage(emulator)
    async with serving(tmp_path, flows(), transport=network, settings=QUICK) as served:
        await begin_in_turn(served, *NAMES)
        network.arrive.set()
        await until_async(lambda: len(texts(emulator)) == 3, "all are sent")
    assert texts(emulator) == [*NAMES]


async def test_without_an_order_the_next_ones_overtake_it(tmp_path: Path) -> None:
    emulator = Emulator()
    network = SlowFirstMessage(emulator)
    async with serving(tmp_path, flows("null"), transport=network, settings=QUICK) as served:
        await begin_in_turn(served, *NAMES)
        await until_async(lambda: len(texts(emulator)) == 2, "the next ones are sent")
        network.arrive.set()
        await until_async(lambda: len(texts(emulator)) == 3, "all are sent")
    assert texts(emulator)[-1] == "first"


async def test_messages_to_others_are_not_held_up(tmp_path: Path) -> None:
    emulator = Emulator()
    network = SlowFirstMessage(emulator)
    two = flows("conversation", ADA, BOB)
    async with serving(tmp_path, two, transport=network, settings=QUICK) as served:
        await begin_in_turn(served, *NAMES)
        await until_async(lambda: texts(emulator) == ["second"], "that to somebody else is sent")
        network.arrive.set()
        await until_async(lambda: len(texts(emulator)) == 3, "all are sent")
    assert texts(emulator) == ["second", "first", "third"]


async def test_the_order_of_a_sender_in_the_configuration_holds_for_all_its_messages(tmp_path: Path) -> None:
    emulator = Emulator()
    network = SlowFirstMessage(emulator)
    settings = Settings(timeout=30, lag_bound=0.2, orders={"(501) 712-2661": SendOrder()})
    async with serving(tmp_path, flows("null"), transport=network, settings=settings) as served:
        await begin_in_turn(served, *NAMES)
        network.arrive.set()
        await until_async(lambda: len(texts(emulator)) == 3, "all are sent")
    assert texts(emulator) == [*NAMES]


async def test_a_message_that_fails_holds_up_none(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.faults.api_error(21211, times=1, operation="messages.create")
    async with serving(tmp_path, flows(), emulator=emulator, settings=QUICK) as served:
        await begin_in_turn(served, *NAMES)
        await until_async(lambda: len(texts(emulator)) == 2, "the others are sent")
    assert texts(emulator) == ["second", "third"]


async def test_a_message_whose_outcome_stays_unknown_holds_up_none(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.faults.server_error(times=1, status=500, operation="messages.create")
    async with serving(tmp_path, flows(), emulator=emulator, settings=Settings(timeout=1, lag_bound=0.2)) as served:
        await begin_in_turn(served, "first", "second")
        await until_async(lambda: "second" in texts(emulator), "the second is sent")
        outcome = await served.engine.wait_for_outcome("first", 10)
        assert outcome["state"] == "unknown"


async def test_a_message_waits_for_the_delivery_of_the_one_before(tmp_path: Path) -> None:
    emulator = Emulator()
    order = "{by: conversation, after: delivery, atMost: 600}"
    async with serving(tmp_path, flows(order), emulator=emulator, settings=QUICK) as served:
        await begin_in_turn(served, "first", "second")

        async def reason() -> Any:
            return (await RunViews(served.engine.database).show("second"))["steps"][-1].get("reason")

        said = await until_async(reason, "it says why it waits")
        assert said == "the message before in the conversation has not been delivered yet"
        assert texts(emulator) == ["first"]
        await served.engine.hear(EffectReport(effect=emulator.messages[0].sid, is_final=True))
        await until_async(lambda: texts(emulator) == ["first", "second"], "the second is sent")


async def test_a_message_that_is_never_delivered_is_waited_for_so_long(tmp_path: Path) -> None:
    emulator = Emulator()
    order = "{by: conversation, after: delivery, atMost: 2}"
    async with serving(tmp_path, flows(order), emulator=emulator, settings=QUICK) as served:
        await served.run("first", "first")
        begun = time.monotonic()
        await served.run("second", "second")
        assert 1 < time.monotonic() - begun < 5
    assert texts(emulator) == ["first", "second"]


async def test_the_call_of_another_process_holds_up_the_next_one_while_its_run_is_running(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, flows(), emulator=emulator, settings=QUICK) as served:
        database = served.engine.database
        other = await served.new_run("other", "first")
        conversation = digest_of(f"order +15017122661 {ADA}")

        def store(connection: Connection) -> None:
            now = database.now(connection)
            insert_runs(connection, now, [other])
            intent = {"key": "other:1", "run": "other", "step_id": "send", "fingerprint": "", "limit_keys": "[]"}
            state = {"state": "claimed", "attempt": 1, "created_at": now, "claimed_at": now, "claimed_by": "another"}
            connection.execute(insert(schema.intents).values(**intent, **state))
            turn = {"key": "other:1", "run": "other", "conversation": conversation, "number": 1, "taken_at": now}
            connection.execute(insert(schema.turns).values(turn))

        await database.run(store)
        await begin_in_turn(served, "second")
        await asyncio.sleep(1.5)
        assert texts(emulator) == []
        pausing = update(schema.runs).where(schema.runs.c.id == "other").values(state="paused")
        await database.run(lambda connection: connection.execute(pausing))
        await until_async(lambda: texts(emulator) == ["second"], "the second is sent")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("line", "must be conversation"),
        ({"by": "conversation", "after": "lunch"}, r"\.after: must be request or delivery"),
        ({"by": "conversation", "atMost": 0}, r"\.atMost: must be a number of seconds"),
        ({"by": "conversation", "until": 1}, r"\.until: is not known \(known: by, after and atMost\)"),
    ],
)
def test_an_order_that_is_not_valid_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        settings_from({"order": {"+15017122661": value}})


def test_the_flows_of_these_tests_are_as_they_look() -> None:
    assert HEAD.endswith("flows:\n")
    assert flows().count("order: conversation") == len(NAMES)
