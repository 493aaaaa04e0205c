"""The page about the design walks three ways of data: its functions are entered in the order of the page."""

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
# Plays the three ways, one after the other, and notes which of the wanted functions are entered, in order: an action,
# a served webhook to the end of its run, and a message in the emulator, to its callback and a reply.
PROGRAM = """
import asyncio, base64, json, os, signal, sys, threading, time, urllib.request
port, emulator_port, result = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
wanted = {tuple(pair) for pair in json.loads(sys.argv[4])}
modules = {module for module, _ in wanted}
walks, frames = [[]], {}

def note(frame, event, argument):
    module = frame.f_globals.get("__name__", "")
    if event != "call" or module not in modules:
        return
    name = frame.f_code.co_qualname
    for known in {name, name.partition(".")[0]}:
        if (module, known) in wanted:
            # A coroutine that continues has the frame with which it began, which is kept so that no other has its id.
            walks[-1].append((module, known, id(frame) not in frames))
    frames[id(frame)] = frame

threading.setprofile(note)
sys.setprofile(note)

from twilio_component.cli.main import main
from twilio_component.emulator import Emulator
from twilio_component.host import Host
from twilio_component.testing import emulator_connection

def wait_for(*name, times=1):
    until = time.monotonic() + 60
    while sum(entry == (*name, True) for entry in list(walks[-1])) < times:
        if time.monotonic() > until:
            raise TimeoutError(name)
        time.sleep(0.02)  # until it looks again

async def action(url):
    connection = emulator_connection()
    connection["fields"]["baseUrl"] = url
    sms = {"twilioConnection": connection, "to": "+15558675310", "from": "+15017122661", "message": "Hi"}
    async with Host.discover() as host:
        walks.append([])
        await host.invoke_action("twilio", "sendSMS", sms)

def post(path, data, **headers):
    base = f"http://127.0.0.1:{emulator_port}"
    urllib.request.urlopen(urllib.request.Request(f"{base}/{path}", data.encode(), headers), timeout=30).read()

def play():
    inbound = json.dumps({"to": "+15017122661", "from": "+15558675310", "body": "Hello"})
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            events = urllib.request.urlopen(f"http://127.0.0.1:{emulator_port}/_emulator/events", timeout=30)
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
            break
        except OSError:
            time.sleep(0.1)
    walks.append([])
    post("_emulator/inbound", inbound, **{"Content-Type": "application/json"})
    wait_for("twilio_component.durable.store.runs", "RunStore.finish")
    # The last report of the reply: sending, sent and delivered. What follows belongs to the next walk.
    wait_for("twilio_component.emulator.webhooks.sender", "Webhooks.send_status", times=3)
    walks.append([])
    fields = emulator_connection()["fields"]
    account, token = fields["username"], fields["password"]
    form = f"To=%2B15558675310&From=%2B15017122661&Body=Bye&StatusCallback=http://127.0.0.1:{port}/none"
    credentials = base64.b64encode(f"{account}:{token}".encode()).decode()
    post(f"2010-04-01/Accounts/{account}/Messages.json", form, Authorization=f"Basic {credentials}")
    wait_for("twilio_component.emulator.webhooks.sender", "Webhooks.send_status")
    post("_emulator/inbound", inbound, **{"Content-Type": "application/json"})
    wait_for("twilio_component.emulator.messaging.inbound", "receive")
    with open(result, "w") as file:
        json.dump(walks[1:], file)
    os.kill(os.getpid(), signal.SIGTERM)

with Emulator().serve_in_thread() as server:
    asyncio.run(action(server.url))
threading.Thread(target=play, daemon=True).start()
main(["serve", "reply.yaml", "--emulator", "--port", str(port), "--emulator-port", str(emulator_port)])
"""
Entry = tuple[str, str, bool]


def names_of_walks() -> list[list[tuple[str, str]]]:
    """The functions and classes of the three walks as pairs of module and name, in the order of the page."""
    section = text_of("docs/explanation/design.md").partition("## Life of a call")[2].partition("\n## ")[0]
    walks = [re.findall(r"`([a-z_]+(?:\.[a-z_]+)*):([A-Za-z_.]+)`", walk) for walk in section.split("\n### ")[1:]]
    return [
        [(f"twilio_component.{module}", name) for module, name in walk if not is_error(module, name)] for walk in walks
    ]


def is_error(module: str, name: str) -> bool:
    value: object = reduce(getattr, name.split("."), import_module(f"twilio_component.{module}"))
    return inspect.isclass(value) and issubclass(value, Exception)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> list[list[Entry]]:
    """For each walk which of its functions were entered, in order: module, name, and whether it begins or continues."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "reply.yaml").write_text(FLOW, encoding="utf-8")
    result = folder / "walks.json"
    wanted = sorted({pair for walk in names_of_walks() for pair in walk})
    arguments = [str(reserve_port()), str(reserve_port()), str(result), json.dumps(wanted)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.exists(), done.stderr
    return [[(module, name, new) for module, name, new in walk] for walk in json.loads(result.read_text("utf-8"))]


def out_of_order(walk: list[tuple[str, str]], entries: list[Entry]) -> list[str]:
    """Those names that are not entered after the name before them on the page.

    What is named once must begin for the first time there; what is named again must be entered again. A loop of the
    background, which began before the walk, must continue there.
    """
    wrong, place = [], -1
    for number, name in enumerate(walk):
        begins = [at for at, (*entered, new) in enumerate(entries) if tuple(entered) == name and new]
        if begins and name not in walk[:number]:
            found = begins[0] if begins[0] > place else None
        else:
            later = (at for at, (*entered, _) in enumerate(entries) if tuple(entered) == name and at > place)
            found = next(later, None)
        if found is None:
            wrong.append(":".join(name))
        elif begins:
            place = found
    return wrong


def test_the_functions_of_each_walk_are_entered_in_the_order_of_the_page(played: list[list[Entry]]) -> None:
    walks = names_of_walks()
    assert [len(walk) > 8 for walk in walks] == [True, True, True]
    assert [out_of_order(walk, entries) for walk, entries in zip(walks, played, strict=True)] == [[], [], []]


def test_names_in_another_order_are_noticed(played: list[list[Entry]]) -> None:
    for walk, entries in zip(names_of_walks(), played, strict=True):
        swapped = [walk[1], walk[0], *walk[2:]]
        assert out_of_order(swapped, entries) != []
