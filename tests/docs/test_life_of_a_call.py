"""The page about the design walks three ways of data: each function that it names is really called on them."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from functools import reduce
from importlib import import_module

import pytest
from support.pages import text_of
from support.ports import reserve_port

FLOW = """
name: Demo
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: twilio.basic}
flows:
  - name: Reply
    steps:
      - {name: Incoming, isTrigger: true, action: twilio.inboundMessage, inputs: {twilioConnection: Twilio}}
      - name: Send Reply
        action: twilio.sendSMS
        inputs:
          twilioConnection: Twilio
          to: "{{$incoming.results.message.from}}"
          from: "{{$incoming.results.message.to}}"
          message: "You wrote: {{$incoming.results.message.body}}"
"""
# An action in process; then a served webhook, to the reply's first event in the inbox. Notes every function it calls.
PROGRAM = """
import asyncio, json, os, signal, sys, threading, time, urllib.request
port, emulator_port, result = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
called = set()

def note(frame, event, argument):
    if event == "call":
        called.add((frame.f_globals.get("__name__", ""), frame.f_code.co_qualname))

threading.setprofile(note)
sys.setprofile(note)

from twilio_component.cli.main import main
from twilio_component.emulator import Emulator
from twilio_component.host import Host
from twilio_component.testing import emulator_connection

async def action():
    sms = {"twilioConnection": emulator_connection(), "to": "+15558675310", "from": "+15017122661", "message": "Hi"}
    async with Host.discover(transport=Emulator().transport) as host:
        await host.invoke_action("twilio", "sendSMS", sms)

def write_to_the_flow():
    base = f"http://127.0.0.1:{emulator_port}/_emulator"
    message = {"to": "+15017122661", "from": "+15558675310", "body": "Hello"}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}/inbound", json.dumps(message).encode(), headers)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            events = urllib.request.urlopen(f"{base}/events", timeout=30)
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
            break
        except OSError:
            time.sleep(0.1)
    urllib.request.urlopen(request, timeout=30)
    for line in events:
        if b"You wrote: Hello" in line and b"delivered" in line:
            break
    with open(result, "w") as file:
        json.dump(sorted(called), file)
    os.kill(os.getpid(), signal.SIGTERM)

asyncio.run(action())
threading.Thread(target=write_to_the_flow, daemon=True).start()
main(["serve", "reply.yaml", "--emulator", "--port", str(port), "--emulator-port", str(emulator_port)])
"""


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Every function that was called, by its module and its qualified name."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "reply.yaml").write_text(FLOW, encoding="utf-8")
    result = folder / "called.json"
    arguments = [str(reserve_port()), str(reserve_port()), str(result)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.exists(), done.stderr
    return {(module, name) for module, name in json.loads(result.read_text(encoding="utf-8"))}


def test_every_function_on_the_three_ways_is_called(called: set[tuple[str, str]]) -> None:
    walks = text_of("docs/explanation/design.md").partition("## Life of a call")[2].partition("\n## ")[0]
    pairs = re.findall(r"`([a-z_]+(?:\.[a-z_]+)*):([A-Za-z_.]+)`", walks)
    assert len(pairs) > 30
    missing = []
    for module, name in pairs:
        home = f"twilio_component.{module}"
        value: object = reduce(getattr, name.split("."), import_module(home))
        if inspect.isclass(value):
            used = issubclass(value, Exception) or any(where == home for where, _ in called)
        else:
            used = (home, name) in called
        missing += [] if used else [f"{module}:{name}"]
    assert missing == []
