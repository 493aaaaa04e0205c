"""The page about other engines: its programs, run by Celery's forking workers and by asyncio."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import blocks

from twilio_component.emulator import Emulator
from twilio_component.testing import emulator_connection

CELERY, ONCE, ASYNCIO = (block.code for block in blocks("docs/how-to/other-engines.md"))
KILLED_BEFORE_SEND, KILLED_BEFORE_STORING, KILLED_BEFORE_ACKNOWLEDGING = "+15558670001", "+15558670002", "+15558670003"
NOT_CONNECTED_AT_FIRST, RESPONSE_LOST, OPTED_OUT = "+15558670004", "+15558670005", "+15558670006"
QUEUED_TWICE, PLAIN, SENT_BEFORE_FORK = "+15558670007", "+15558670008", "+15558670009"
RATE_LIMITED, PLAIN_RATE_LIMITED, QUEUE_FULL = "+15558670010", "+15558670011", "+15558670012"
WITHOUT_CONNECTION_AT_FIRST = "+15558670013"
NUMBERS = [f"+155586700{number:02}" for number in (*range(1, 9), *range(10, 14))]
# The tasks that come to an end: one a number, one without a recipient, and six that are rightly repeated.
ENDS = len(NUMBERS) + 1 + 6
# Starts workers that are killed at each of three points. The broker, a folder, does not know what a worker that was
# killed had begun: delivering it again is the program's work. It writes to the folder only while no worker reads it.
# Results are stored as JSON, which is Celery's default.
WORKERS = f"""
import copy, json, os, signal, sys, time
from pathlib import Path
from celery import signals
from celery.backends.filesystem import FilesystemBackend
import messages, once
from messages import app, host

def is_first(what):
    try:
        Path(what).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

def inputs(to):
    return {{"to": to, "message": "Hi", "from": "+15017122661"}}

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def invoke_action(component, action, inputs):
    to = inputs.get("to")
    if to == "{KILLED_BEFORE_SEND}" and is_first("not sent"):
        die()
    if to == "{NOT_CONNECTED_AT_FIRST}" and is_first("not connected"):
        inputs = copy.deepcopy(inputs)
        inputs["twilioConnection"]["fields"]["baseUrl"] = "http://127.0.0.1:1"
    result = send(component, action, inputs)
    if to == "{KILLED_BEFORE_STORING}":
        die()
    return result

def store_result(backend, task_id, result, request, *options):
    if request.kwargs["to"] == "{KILLED_BEFORE_ACKNOWLEDGING}" and is_first("stored"):
        die()
    store(backend, task_id, result, request, *options)

@signals.task_postrun.connect
def end_of_task(kwargs, **_):
    with open("ended", "a") as ended:
        print(kwargs.get("to"), file=ended)

def outcome_of(task_id):
    try:
        return app.AsyncResult(task_id).get(timeout=100, interval=0.02)
    except Exception as error:
        known = [getattr(error, name, None) for name in ("may_have_happened", "code", "twilio_code")]
        return [type(error).__name__, *known, str(error), *map(str, getattr(error, "problems", []))]

def queue(*numbers, task=once.send_once):
    for to in numbers:
        task.apply_async(kwargs=inputs(to), task_id=f"to-{{to}}")

def start_worker():
    process = os.fork()
    if not process:
        alone = ["--without-mingle", "--without-gossip", "--without-heartbeat"]
        app.worker_main(["--quiet", "worker", "--pool=solo", "--loglevel=CRITICAL", *alone])
        os._exit(0)
    return process

store, FilesystemBackend.mark_as_done = FilesystemBackend.mark_as_done, store_result
Path("queue").mkdir()
folders = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), os.getcwd() + "/queue")
app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={{**folders, "polling_interval": 0.02}},
    result_backend="file://" + os.getcwd(),
)
# The host is in use before the first worker is forked.
print(json.dumps(messages.send(**inputs("{SENT_BEFORE_FORK}"))))

connection = os.environ.pop("PRISMATIC_CONNECTION_VALUE")
early = once.send_once.apply(kwargs=inputs("{WITHOUT_CONNECTION_AT_FIRST}"), task_id="to-{WITHOUT_CONNECTION_AT_FIRST}")
assert type(early.result).__name__ == "InputError", early.result
os.environ["PRISMATIC_CONNECTION_VALUE"] = connection

send, host.invoke_action = host.invoke_action, invoke_action
for number in ("{KILLED_BEFORE_SEND}", "{KILLED_BEFORE_STORING}", "{KILLED_BEFORE_ACKNOWLEDGING}"):
    queue(number)
    assert os.waitstatus_to_exitcode(os.waitpid(start_worker(), 0)[1]) == -signal.SIGKILL
    queue(number)
queue("nobody", "{NOT_CONNECTED_AT_FIRST}", "{RESPONSE_LOST}", "{OPTED_OUT}", "{QUEUED_TWICE}", "{QUEUED_TWICE}")
queue("{RATE_LIMITED}", "{QUEUE_FULL}", "{WITHOUT_CONNECTION_AT_FIRST}")
queue("{PLAIN}", "{PLAIN_RATE_LIMITED}", task=messages.send)
worker = start_worker()
outcomes = {{to: outcome_of(f"to-{{to}}") for to in ["nobody", *{NUMBERS}]}}
limit = time.monotonic() + 60
while len(ends := Path("ended").read_text().split()) < {ENDS} and time.monotonic() < limit:
    time.sleep(0.02)
os.kill(worker, signal.SIGKILL)
os.waitpid(worker, 0)
print(json.dumps([outcomes, ends]))
"""


def run(program: str, folder: Path, emulator: Emulator) -> str:
    """What the program prints, with the emulator as Twilio."""
    with emulator.serve_in_thread() as server:
        connection = emulator_connection()
        connection["fields"]["baseUrl"] = server.url
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**os.environ, "PRISMATIC_CONNECTION_VALUE": json.dumps(connection)},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_celery_tasks_send_from_forked_workers_and_once_though_they_are_delivered_twice(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.faults.drop(accepted=True, operation="messages.create", to=RESPONSE_LOST)
    emulator.faults.api_error(21610, to=OPTED_OUT)
    for number in (RATE_LIMITED, PLAIN_RATE_LIMITED):
        emulator.faults.rate_limit(to=number, retry_after=3600)  # longer than one call waits
    emulator.faults.api_error(21611, to=QUEUE_FULL)
    (tmp_path / "messages.py").write_text(CELERY, encoding="utf-8")
    (tmp_path / "once.py").write_text(ONCE, encoding="utf-8")
    first, rest = run(WORKERS, tmp_path, emulator).splitlines()
    outcomes, ends = json.loads(rest)

    assert len({message.to for message in emulator.messages}) == len(emulator.messages), "a message was sent twice"
    sent = {message.to: message.sid for message in emulator.messages}
    assert (json.loads(first), outcomes[PLAIN]) == (sent.pop(SENT_BEFORE_FORK), sent.pop(PLAIN))
    assert outcomes[KILLED_BEFORE_ACKNOWLEDGING] == sent.pop(KILLED_BEFORE_ACKNOWLEDGING)
    assert outcomes[NOT_CONNECTED_AT_FIRST] == sent.pop(NOT_CONNECTED_AT_FIRST)
    assert outcomes[QUEUED_TWICE] == sent.pop(QUEUED_TWICE)
    assert outcomes[WITHOUT_CONNECTION_AT_FIRST] == sent.pop(WITHOUT_CONNECTION_AT_FIRST), "nothing was sent at first"
    for number in (RATE_LIMITED, PLAIN_RATE_LIMITED, QUEUE_FULL):
        assert (outcomes[number], ends.count(number)) == (sent.pop(number), 2), "a refusal that passes was not retried"
    assert (ends.count(KILLED_BEFORE_ACKNOWLEDGING), ends.count(QUEUED_TWICE)) == (1, 2)
    assert sent.keys() == {KILLED_BEFORE_STORING, RESPONSE_LOST}
    for number in (KILLED_BEFORE_SEND, KILLED_BEFORE_STORING, RESPONSE_LOST):
        assert outcomes[number][:3] == ["OutcomeUnknownError", True, "twilio-outcome-unknown"]
        assert outcomes[number][-1].count("may have been sent") == 1
        assert ends.count(number) == 1, "the task was repeated"
    assert outcomes[OPTED_OUT][:4] == ["TwilioAPIError", False, "twilio-api-error", 21610]
    assert outcomes["nobody"][0] == "InputError"
    assert outcomes["nobody"][-1].startswith("$.inputs.to: ")


def test_a_plain_asyncio_program_sends(tmp_path: Path) -> None:
    emulator = Emulator()
    assert run(ASYNCIO, tmp_path, emulator) == "queued\n"
    assert len(emulator.messages) == 1


@pytest.mark.parametrize("program", [CELERY, ASYNCIO])
def test_the_programs_have_at_most_a_dozen_lines(program: str) -> None:
    assert len([line for line in program.splitlines() if line]) <= 12
