"""A morning at a ferry company, as the page of operations shows it: what the pictures and the checks look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.long_lists import people

from twilio_component.emulator import Emulator

SEND = """\
action: twilio.sendSMS
{pad}inputs:
{pad}  twilioConnection: {{type: configVar, value: Twilio}}
{pad}  to: {to}
{pad}  from: "+15017122661"
{pad}  message: {message}"""


def send(name: str, depth: int, to: str, message: str) -> str:
    """A step that sends, ``depth`` spaces from the left."""
    pad = " " * (depth + 2)
    return f"{' ' * depth}- name: {name}\n{pad}" + SEND.format(pad=pad, to=to, message=message)


FLOWS = f"""\
  - name: Announce a delay
    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
      - name: How late
        action: branch.branchOnValue
        inputs: {{inputValue: "{{{{$trigger.results.body.data.to}}}}", branchValueMappings: {{A little: "late"}}}}
        branches:
          - name: A little
            steps:
              - {{name: Wait, action: sleep.sleep, inputs: {{ms: 10}}}}
          - name: Else
            steps:
{send("Tell the harbour", 14, '"+15558675310"', "The nine o'clock ferry is late")}
      - name: Passengers
        action: loop.loopOverItems
        concurrency: 10
        itemsFrom: {{file: people.csv}}
        steps:
{send("Tell a passenger", 10, '"{{$passengers.currentItem.phone}}"', "Hi, your ferry is late")}
      - {{name: Note, action: sleep.sleep, inputs: {{ms: 10}}}}
  - name: Confirm a booking
    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
{send("Confirm", 6, "{type: reference, value: trigger.results.body.data.to}", "Your cabin is booked")}
"""
DELAY, BOOKING = "Announce a delay", "Confirm a booking"
COUNT = 120


def play(operated_of: Any, folder: Path) -> Any:
    """Let the morning happen; the engine, with its page, as it is then."""
    emulator = Emulator()
    numbers = people(folder, COUNT)
    for code, places in {21610: range(9), 21614: range(40, 44), 30007: range(80, 82)}.items():
        for place in places:
            emulator.faults.api_error(code, times=None, to=numbers[place], operation="messages.create")
    operated = operated_of(FLOWS, emulator=emulator)
    for number in range(1, 6):
        operated.run(f"booking-{number}", BOOKING)
    operated.run("delay-09-00", DELAY)
    emulator.faults.api_error(20003, status=401)
    operated.run("booking-6", BOOKING)
    emulator.faults.drop(operation="messages.create")
    operated.run("booking-7", BOOKING)
    emulator.faults.rate_limit(times=1, retry_after=1500, operation="messages.create")
    operated.begin("booking-8", BOOKING)
    return operated
