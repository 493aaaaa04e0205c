"""Parts of a deployment for tests: a flow that replies, a serving process, and Twilio's signed requests."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from support.forked_programs import ForkedProcess, start_program
from support.ports import reserve_port
from support.waiting import PATIENCE, until

from twilio_component.twilio.signatures.verification import sign

ACCOUNT_SID = "AC" + "1" * 32
AUTH_TOKEN = "emulated-auth-token"
SENDER = "+15017122661"

HEAD = """\
name: Demo
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: {component: twilio, key: basic}}
flows:
  - name: Reply
    steps:
      - name: Trigger
        isTrigger: true
        action: twilio.webhook
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
"""
"""An integration whose flow begins with a webhook of Twilio's; its steps are to follow."""
FLOW = f"""\
{HEAD}\
      - name: Send
        action: twilio.sendSMS
        inputs:
          twilioConnection: {{type: configVar, value: Twilio}}
          to: {{type: reference, value: trigger.results.body.data.From}}
          from: {{type: reference, value: trigger.results.body.data.To}}
          message: {{type: template, value: "You wrote {{{{$trigger.results.body.data.Body}}}}"}}
"""
ASKING = f"""\
{HEAD}\
      - name: Ask
        action: twilio.sendAndWait
        inputs:
          twilioConnection: {{type: configVar, value: Twilio}}
          to: {{type: reference, value: trigger.results.body.data.From}}
          from: {{type: value, value: "{SENDER}"}}
          message: {{type: value, value: "Really?"}}
          answerType: {{type: value, value: yesNo}}
          deadline: {{type: value, value: 1h}}
      - name: Tell
        action: twilio.sendSMS
        inputs:
          twilioConnection: {{type: configVar, value: Twilio}}
          to: {{type: reference, value: trigger.results.body.data.From}}
          from: {{type: value, value: "{SENDER}"}}
          message: {{type: template, value: "{{{{$ask.results.outcome}}}} {{{{$ask.results.answer}}}}"}}
"""
"""It asks every sender a question, and tells them how the question has ended."""
CONFIGURATION = """\
configVars:
  Twilio: {{key: basic, fields: {{username: {account}, password: {token}, baseUrl: "{twilio}"}}}}
sending: {{lagBound: {lag_bound}, timeout: {timeout}, resend: {resend}}}
rateLimits: {rates}
"""
_PROGRAM = "support.crashing_serve"


class Deployment:
    """A flow file, a configuration and a database; serving processes come and go, numbered from 0, each with a port.

    Without a ``database`` (a URL) it is a SQLite file. ``public`` ones have a public URL, and so ask for callbacks;
    others may have ``options`` of the command line. ``program`` is the module whose ``run`` a process calls.
    """

    def __init__(
        self,
        folder: Path,
        twilio: str,
        *,
        database: str = "",
        flow: str = FLOW,
        public: bool = False,
        options: Sequence[str] = (),
        program: str = _PROGRAM,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.public = public
        self.options = options
        self.program = program
        self.ports = [reserve_port(), reserve_port()]
        self.database = database or f"sqlite:///{folder / 'state' / 'runs.sqlite'}"
        self.flow = folder / "flow.yaml"
        self.flow.write_text(flow, encoding="utf-8")
        self.configuration = folder / "configuration.yaml"
        settings = {"lag_bound": 1, "timeout": 2, "resend": "false", "rates": "{}"} | settings
        filled = CONFIGURATION.format(account=ACCOUNT_SID, token=AUTH_TOKEN, twilio=twilio, **settings)
        self.configuration.write_text(filled, encoding="utf-8")

    def url(self, number: int = 0) -> str:
        return f"http://127.0.0.1:{self.ports[number]}"

    def webhook(self, number: int = 0) -> str:
        return f"{self.url(number)}/demo/reply"

    def start(self, environment: Mapping[str, str] | None = None, number: int = 0) -> ForkedProcess:
        """Start a serving process; it need not be ready yet."""
        arguments = ["serve", str(self.flow), "--config", str(self.configuration), "--database", self.database]
        options = ["--public-url", self.url(number)] if self.public else self.options
        return self._program([*arguments, *options, "--port", str(self.ports[number])], environment)

    def start_worker(self, environment: Mapping[str, str] | None = None) -> ForkedProcess:
        arguments = ["worker", "--config", str(self.configuration), "--database", self.database]
        return self._program(arguments, environment)

    @contextmanager
    def serving(self, environment: Mapping[str, str] | None = None, number: int = 0) -> Iterator[ForkedProcess]:
        """A serving process that is ready, ended in the end as a supervisor ends it."""
        process = self.start(environment, number)
        try:
            self.wait_until_ready(process, number)
            yield process
        finally:
            process.terminate()
            self.wait_until_ended(process)

    def wait_until_ended(self, process: ForkedProcess) -> None:
        """Wait for the end of a process; one that does not end is aborted, and the log shows what each thread did."""
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            process.wait(PATIENCE)
            raise AssertionError(f"{self.folder}: a process did not end when it was told to\n{self.log()}") from None

    def wait_until_ready(self, process: ForkedProcess, number: int = 0, *, or_dead: bool = False) -> None:
        def ready() -> bool:
            if process.poll() is not None:
                assert or_dead, self.log()
                return True
            try:
                return httpx.get(f"{self.url(number)}/readyz").is_success
            except httpx.TransportError:
                return False

        until(ready, f"{self.url(number)} is ready")

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """The rows that the database answers with."""
        engine = create_engine(self.database.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(question))]

    def running(self) -> int:
        """How many runs have not ended."""
        ((count,),) = self.ask("SELECT count(*) FROM flow_runs WHERE state = 'running'")
        return int(count)

    def log(self) -> str:
        return (self.folder / "serve.log").read_text(encoding="utf-8")

    def _program(self, arguments: list[str], environment: Mapping[str, str] | None) -> ForkedProcess:
        given = {**os.environ, "PYTHONFAULTHANDLER": "1", **(environment or {})}
        with (self.folder / "serve.log").open("ab") as log:
            return start_program(self.program, arguments, given, log.fileno())


def inbound(number: int, body: str = "Hi", *, to: str = SENDER) -> dict[str, str]:
    """The parameters of the ``number``-th message that somebody of that number wrote."""
    return {
        "MessageSid": f"SM{number:032x}",
        "SmsStatus": "received",
        "AccountSid": ACCOUNT_SID,
        "From": f"+1555867{number:04d}",
        "To": to,
        "Body": body,
    }


def post(url: str, parameters: Mapping[str, str], *, token: str = AUTH_TOKEN, **options: Any) -> httpx.Response:
    """Post as Twilio does, signed."""
    signature = sign(token, url, parameters.items())
    return httpx.post(url, data=parameters, headers={"X-Twilio-Signature": signature}, timeout=20, **options)


def killed(process: ForkedProcess) -> bool:
    """Wait until the process has ended; whether it was killed, not by us."""
    return process.wait(PATIENCE) == -signal.SIGKILL
