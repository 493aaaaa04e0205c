"""Two processes on one Postgres: they go on together with what a killed one held, and keep caps and order together."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from sqlalchemy import create_engine, text
from support.serve_processes import FLOW, Deployment, inbound, killed, post
from support.waiting import until

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator

PEOPLE, EACH = 3, 5
NIGHT, MORNING = {"FLOW_ZONE": "UTC"}, {"FLOW_ZONE": "Asia/Kolkata"}
"""Where everybody is: it is night in UTC now, and five and a half hours later in India no more."""


def flow() -> str:
    now = dt.datetime.now(dt.UTC)
    begin, end = ((now + dt.timedelta(hours=hours)).strftime("%H:%M") for hours in (-2, 2))
    rules = f"""\
  - name: Reply
    quietHours: {{from: "{begin}", to: "{end}", timeZone: {{type: configVar, value: Zone}}}}
    frequencyCaps: {{perDay: 2}}
"""
    return FLOW.replace("flows:\n", "  - {key: Zone, defaultValue: UTC}\nflows:\n", 1).replace(
        "  - name: Reply\n", rules, 1
    )


def test_at_night_nobody_is_written_to_and_in_the_morning_as_often_as_the_cap_allows(
    emulator: Emulator, twilio: str, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    deployment = Deployment(tmp_path, twilio, database=new_database(), flow=flow())

    def reasons() -> Counter[str]:
        return Counter(reason for (reason,) in deployment.ask("SELECT reason FROM flow_waits"))

    process = deployment.start(NIGHT)
    deployment.wait_until_ready(process)
    for number in range(PEOPLE * EACH):
        message = {**inbound(number), "From": inbound(number % PEOPLE)["From"]}
        assert post(deployment.webhook(), message).status_code == 204
    until(lambda: reasons() == {"quiet-hours": PEOPLE * EACH}, "every run waits for the morning")
    process.kill()
    process.wait()
    assert emulator.messages == []
    with ExitStack() as stack:
        for number in range(2):
            stack.enter_context(deployment.serving(MORNING, number))
        # The time is as it was: what it would do is done here.
        engine = create_engine(deployment.database.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(text("UPDATE flow_waits SET until = 0"))
        engine.dispose()
        until(lambda: reasons() == {"cap": PEOPLE * (EACH - 2)}, "everybody has had as many messages as the cap allows")
    sent = Counter(message.to for message in emulator.messages)
    assert sent == {inbound(person)["From"]: 2 for person in range(PEOPLE)}


ORDER = "        action: twilio.sendSMS\n        order: conversation\n"
ORDERED = FLOW.replace("        action: twilio.sendSMS\n", ORDER, 1)
MESSAGES = 8


def test_a_persons_messages_go_out_in_the_order_of_their_steps_though_a_process_is_killed_with_one(
    emulator: Emulator, twilio: str, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    person = inbound(0)["From"]
    emulator.faults.slow(seconds=1.5, operation="messages.create")  # meanwhile the others come to their steps
    deployment = Deployment(tmp_path, twilio, database=new_database(), flow=ORDERED, timeout=3, resend="true")
    doomed = deployment.start({"CRASH_AT": "claimed:2"})
    with deployment.serving(number=1):
        deployment.wait_until_ready(doomed)
        for number in range(MESSAGES):
            message = {**inbound(number, f"{number}"), "From": person}
            try:
                assert post(deployment.webhook(number % 2), message).status_code == 204
            except httpx.TransportError:  # as Twilio's fallback URL
                assert post(deployment.webhook(1), message).status_code == 204
        assert killed(doomed)
        until(lambda: len(emulator.messages) == MESSAGES and not deployment.running(), "all are sent, and known to be")
    by_turn = "SELECT resource_id, attempt FROM flow_turns JOIN flow_intents USING (key) ORDER BY number"
    turns = deployment.ask(by_turn)
    assert [message.sid for message in emulator.messages] == [sid for sid, _ in turns]
    attempts = [attempt for _, attempt in turns]
    assert sorted(attempts) == [1] * (MESSAGES - 1) + [2], "the killed process had claimed one"
    assert attempts[-1] == 1, "others waited for it"
