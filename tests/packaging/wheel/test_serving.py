"""A flow served by the wheel from a SQLite file: the process dies in the middle of a run, and sends once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from support.ports import reserve_port
from support.waiting import PATIENCE, until

ACCOUNT, TOKEN = "AC" + "1" * 32, "the-auth-token"
NUMBER, PHONE = "+15017122661", "+15558675310"
FLOW = """\
name: Demo
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: twilio.basic}
flows:
  - name: Reply
    steps:
      - {name: Incoming, isTrigger: true, action: twilio.inboundMessage, inputs: {twilioConnection: Twilio}}
      - {name: Wait, action: sleep.sleep, inputs: {ms: 1500}}
      - name: Send
        action: twilio.sendSMS
        inputs:
          twilioConnection: Twilio
          to: "{{$incoming.results.message.from}}"
          from: "{{$incoming.results.message.to}}"
          message: "You wrote: {{$incoming.results.message.body}}"
"""


def ask(url: str, body: Any = None) -> Any:
    """What a URL returns as JSON; None while nothing listens there."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=10) as response:  # noqa: S310 - http
            return json.load(response)
    except (URLError, ConnectionError):
        return None


@contextmanager
def running(folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TWILIO"))}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_a_run_continues_after_its_process_was_killed_and_sends_once(able_to_serve: Path, tmp_path: Path) -> None:
    twilio, ours = (f"http://127.0.0.1:{reserve_port()}" for _ in range(2))
    connection = {"key": "basic", "fields": {"username": ACCOUNT, "password": TOKEN, "baseUrl": twilio}}
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "configuration.yaml").write_text(json.dumps({"configVars": {"Twilio": connection}}))
    program = str(able_to_serve / "twilio-component")
    serve = [program, "serve", "flow.yaml", "--config", "configuration.yaml", "--port", ours.rpartition(":")[2]]

    with running(tmp_path, program, "emulator", "--port", twilio.rpartition(":")[2]):
        until(lambda: ask(f"{twilio}/_emulator"), "the emulator listens")
        ask(f"{twilio}/_emulator/accounts", {"sid": ACCOUNT, "authToken": TOKEN})
        number = {"number": NUMBER, "accountSid": ACCOUNT, "smsUrl": f"{ours}/demo/reply"}
        ask(f"{twilio}/_emulator/numbers", number)
        with running(tmp_path, *serve) as process:
            until(lambda: is_ready(ours), "the flow is served")
            ask(f"{twilio}/_emulator/inbound", {"to": NUMBER, "from": PHONE, "body": "Hi", "accountSid": ACCOUNT})
            until(lambda: runs(program, tmp_path), "the run is stored")
            process.kill()
            process.wait(PATIENCE)
        with running(tmp_path, *serve):
            until(lambda: [run["state"] for run in runs(program, tmp_path)] == ["succeeded"], "the run has succeeded")
        sent = ask(f"{twilio}/_emulator/messages?to=%2B15558675310")["messages"]
    assert [message["body"] for message in sent] == ["You wrote: Hi"]


def is_ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=10) as response:  # noqa: S310 - http
            return bool(response.status == 200)
    except OSError:  # nothing listens yet, or it is busy with starting
        return False


def runs(program: str, folder: Path) -> Any:
    listed = subprocess.run(
        [program, "runs", "list", "--json"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return json.loads(listed.stdout) if listed.returncode == 0 else []
