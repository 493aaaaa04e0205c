"""The operator's story of how-to/token-expires.md, played: what it shows is seen, and each has one message."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from support.loop_thread import LoopThread
from support.pages import blocks
from support.waiting import until

from twilio_component.cli.log_output import TextFormatter
from twilio_component.cli.main import main
from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.settings import Settings
from twilio_component.emulator import Emulator
from twilio_component.flows import Configuration
from twilio_component.host import Host

PAGE = "docs/how-to/token-expires.md"
ACCOUNT = "AC" + "1" * 32
# Of the 500 patients, and the 200 who have a message when the token expires: the rest would be more of the same.
PATIENTS, BEFORE = 100, 40
SCALED = {"500": PATIENTS, "200": BEFORE}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def matches(expected: str, said: str) -> bool:
    """Whether it says what the page shows, in which ``…`` stands for anything, blanks for any blanks."""
    parts = (r"\s+".join(map(re.escape, part.split())) for part in expected.split("…"))
    return re.fullmatch(r"\s*(?:.*?)\s*".join(parts).strip() or "", said.strip(), re.DOTALL) is not None


def steps() -> Iterator[tuple[str, str]]:
    """The page's commands, each with what it shows below it."""
    for block in blocks(PAGE):
        if block.kind == "console" and not block.remark:
            for step in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
                command, _, shown = step.partition("\n")
                yield command, re.sub(r"\b(500|200)\b", lambda found: str(SCALED[found[1]]), shown)


@asynccontextmanager
async def serving(url: str, token: str) -> AsyncIterator[Engine]:
    """A process that serves the flow with this token."""
    definition = next(block for block in blocks(PAGE) if block.file == "reminders.yaml")
    connection = {"key": "basic", "fields": {"username": ACCOUNT, "password": token, "baseUrl": url}}
    async with Host.discover() as host:
        deployment = Deployment(host, Configuration(config_vars={"Twilio": connection}), {}, public_url="")
        read = deployment.load("reminders.yaml", definition.code)
        database = "sqlite:///.twilio-component/runs.sqlite"
        async with Engine.open(deployment, database, Settings(timeout=2, lag_bound=0.5)) as engine:
            await engine.runs.define(read.file, read.text)
            await engine.runs.note_served(read.integration.name, read.digest, "")
            yield engine


class Clinic:
    """The deployment and its operator."""

    def __init__(self, folder: Path, emulator: Emulator, url: str, capture: Callable[[str], str]) -> None:
        self._folder, self._emulator, self._url = folder, emulator, url
        self._capture = capture
        self._thread = LoopThread()
        self._engine: Engine

    def serve(self, token: str) -> None:
        self._thread.close()
        self._thread = LoopThread()
        self._emulator.accounts.declare(ACCOUNT, token)
        self._engine = self._thread.enter(serving(self._url, token))
        connection = {"key": "basic", "fields": {"username": ACCOUNT, "password": token, "baseUrl": self._url}}
        (self._folder / "twilio.json").write_text(json.dumps(connection), encoding="utf-8")

    def wait_for(self, state: str) -> None:
        found = RunViews(self._engine.database).find
        until(lambda: self._thread.call(found(RunFilter(state=state))), f"a run is {state}", 60)

    def do(self, command: str) -> str:
        """What a command prints on the terminal, or into a file."""
        if not command.startswith("twilio-component"):
            done = subprocess.run(
                ["bash", "-c", command], cwd=self._folder, capture_output=True, text=True, check=False, timeout=60
            )
            assert done.stderr == ""
            return done.stdout
        words, _, file = command.removeprefix("twilio-component ").partition(" > ")
        said = self._capture(words)
        if not file:
            return said
        (self._folder / file).write_text(said, encoding="utf-8")
        return ""

    def close(self) -> None:
        self._thread.close()


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "120")
    rows = "".join(f"Patient {number},+1555867{number:04d}\n" for number in range(PATIENTS))
    (tmp_path / "patients.csv").write_text(f"name,phone\n{rows}", encoding="utf-8")

    def capture(words: str) -> str:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        main(words.split())
        return terminal.getvalue()

    emulator = Emulator()
    with revoked_after(emulator, BEFORE), emulator.serve_in_thread() as served:
        opened = Clinic(tmp_path, emulator, served.url, capture)
        yield opened
        opened.close()


@contextmanager
def revoked_after(emulator: Emulator, messages: int) -> Iterator[None]:
    """Let the account have another token once so many messages are sent."""
    done = threading.Event()

    def revoke(*_: object) -> None:
        if not done.is_set() and len(emulator.messages) >= messages:
            done.set()
            emulator.accounts.declare(ACCOUNT, "nobody knows it yet")

    emulator.request_log.listeners.append(revoke)
    yield
    assert done.is_set()


def test_a_token_expires_and_in_the_end_each_patient_has_one_message(
    clinic: Clinic, caplog: pytest.LogCaptureFixture
) -> None:
    clinic.serve("the first token")
    (log_line,) = (block.code for block in blocks(PAGE) if block.kind == "text")
    with caplog.at_level(logging.WARNING, "twilio_component.runs"):
        for command, shown in steps():
            if "connection check" in command:  # after the restart
                clinic.serve("the new token")
            said = clinic.do(command)
            assert matches(shown, said), f"{command}\n{said}"
            if " start " in command:
                clinic.wait_for("stopped")
    lines = [TextFormatter().format(record).partition(" ")[2] for record in caplog.records]
    assert any(matches(log_line, line) for line in lines), lines
    sent = Counter(message.to for message in clinic._emulator.messages)
    assert (len(sent), set(sent.values())) == (PATIENTS, {1})
