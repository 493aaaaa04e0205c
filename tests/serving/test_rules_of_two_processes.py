"""Two processes on one Postgres: they go on together with what a killed one held, and keep to caps together."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text
from support.serve_processes import FLOW, Deployment, inbound, post
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
