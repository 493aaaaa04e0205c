"""A flow that sends to a list, its recipients, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from twilio_component.durable.settings import Settings

if TYPE_CHECKING:
    from support.engine import Served

    from twilio_component.emulator import Emulator

QUICK = Settings(timeout=0.5, lag_bound=0.2)


def flow(concurrency: int = 5, *, more: str = "", after: str = "") -> str:
    return f"""\
  - name: Main
    isSynchronous: true
    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
      - name: Everyone
        action: loop.loopOverItems
        concurrency: {concurrency}
        itemsFrom: {{file: people.csv}}
        steps:
          - name: Send
            action: twilio.sendSMS
            inputs:
              twilioConnection: {{type: configVar, value: Twilio}}
              to: "{{{{$everyone.currentItem.phone}}}}"
              from: "+15017122661"
              message: "Hi {{{{$everyone.currentItem.name}}}}"
{more}{after}"""


def people(folder: Path, count: int, special: Mapping[int, str] = MappingProxyType({})) -> list[str]:
    numbers = [special.get(number, f"+1555{number:07d}") for number in range(count)]
    rows = "".join(f"P{number},{phone}\n" for number, phone in enumerate(numbers))
    (folder / "people.csv").write_text("name,phone\n" + rows, encoding="utf-8")
    return numbers


def sent(emulator: Emulator) -> Counter[str]:
    return Counter(message.to for message in emulator.messages)


async def stored(served: Served, table: Any) -> list[Any]:
    return await served.engine.database.run(lambda connection: list(connection.execute(select(table)).mappings()))
