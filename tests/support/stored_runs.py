"""Makes the database of a release: a few runs in every state, as SQL. ``python tests/support/stored_runs.py FILE``.

Run it before a release and keep the file in ``fixtures/databases``: later releases go on with what it holds.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent

from support.engine import serving
from support.waiting import until_async

from twilio_component.durable.operator.operations import Operations
from twilio_component.emulator import Emulator

TWICE = """\
      - name: First
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: {type: reference, value: RECIPIENT}
          from: {type: value, value: "+15017122661"}
          message: {type: value, value: the first message}
      - {name: Sleep, action: sleep.sleep, inputs: {ms: {type: value, value: 60000}}}
      - name: Second
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: {type: reference, value: RECIPIENT}
          from: {type: value, value: "+15017122661"}
          message: {type: value, value: the second message}
"""
_TRIGGER = "      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}\n"
_TWICE = _TRIGGER + TWICE.replace("RECIPIENT", "trigger.results.body.data.to")
FLOWS = (
    "  - name: Main\n    steps:\n"
    + _TWICE
    + "  - name: Send\n    steps:\n"
    + _TRIGGER
    + "      - {name: Count, action: persist-data.incrementInstanceValue, inputs: {keyInput: {type: value, value: n}}}"
    + "\n"
    + _TWICE[len(_TRIGGER) : _TWICE.index("      - {name: Sleep")]
    + """\
  - name: List
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 2
        inputs:
          items: {type: value, value: ["+15558675311", "+15558675312", "+15558675313"]}
        steps:
"""
    + indent(TWICE.replace("RECIPIENT", "everyone.currentItem"), "    ")
)
ASK = (
    "  - name: Ask\n    isSynchronous: true\n    steps:\n"
    + _TRIGGER
    + """\
      - name: Ask
        action: twilio.sendAndWait
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: {type: reference, value: trigger.results.body.data.to}
          from: {type: value, value: "+15017122661"}
          message: {type: value, value: Can you come?}
          answerType: {type: value, value: yesNo}
          deadline: {type: value, value: 90d}
        branches:
          - {name: answered, steps: []}
          - {name: Else, steps: []}
      - {name: Outcome, action: stop-execution.stopExecution, inputs: {jsonBody: {type: reference, value: ask.results}}}
"""
)
"""``Main`` and each iteration of ``List`` send, sleep a minute, and send again.

``Send`` counts and sends once; ``Ask`` asks a person.
"""


async def make(file: Path) -> None:
    """Write the database to ``file``: succeeded, failed, unknown, paused, waiting for a reply, and two interrupted."""
    emulator = Emulator()
    async with serving(file.parent, FLOWS + ASK, emulator=emulator, database=f"sqlite:///{file}") as served:
        await served.run("succeeded", "Send")
        emulator.faults.api_error(21211, operation="messages.create")
        await served.run("failed", "Send")
        emulator.faults.server_error(operation="messages.create", status=500)
        await served.run("unknown", "Send")
        for run, flow in (("paused", "Main"), ("interrupted", "Main"), ("list", "List"), ("asked", "Ask")):
            await served.begin(run, flow)
        await until_async(lambda: len(emulator.messages) == 1 + 2 + 2 + 1, "all of them sleep or wait")
        await asyncio.sleep(1)
        await Operations(served.engine.database).pause("paused")


def main(target: Path) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "runs.sqlite"
        asyncio.run(make(file))
        with closing(sqlite3.connect(file)) as connection:
            target.write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
