"""The pages in-an-application.md and scripts.md: each example is an application of its own, with its own tests."""

from __future__ import annotations

import ast
import asyncio
import csv
import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.pages import blocks

from twilio_component.flows import Call, Configuration
from twilio_component.host import BlockingHost, Context, Host, IntegrationError
from twilio_component.testing import BlockingHarness, emulator_connection
from twilio_component.twilio.signatures import sign

PAGE = "docs/how-to/in-an-application.md"


@pytest.mark.parametrize(
    ("framework", "test", "number"),
    [("fastapi", "test_fastapi_app.py", 4), ("flask", "test_flask_app.py", 4), ("django", "test_django_views.py", 5)],
)
def test_an_application_of_the_page_passes_its_tests(framework: str, test: str, number: int, tmp_path: Path) -> None:
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed; `make` installs it")
    for block in blocks(PAGE):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.code, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert f"{number} passed" in done.stdout, done.stdout


def test_a_path_that_a_framework_has_decoded_is_signed_as_twilio_was_given_it() -> None:
    (code,) = [block.code for block in blocks(PAGE) if block.file == "twilio_webhooks.py"]
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102 - the page's own example
    signature = sign("token", "https://example.com/sms/caf%C3%A9+1?from=%C3%A9", [("Body", "Hi")])
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    found = namespace["verified"]("/sms/café+1", "from=%C3%A9", headers, b"Body=Hi", "token")
    assert found == {"Body": "Hi"}


def test_a_client_is_told_of_its_own_mistakes_and_the_log_of_the_applications(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (code,) = [block.code for block in blocks(PAGE) if block.file == "twilio_webhooks.py"]
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102 - the page's own example
    right = {"to": "+15558675310", "from": "+15017122661", "message": "Hi"}
    mistakes = {"to": "12", "from": "Friday's shop", "twilioConnection": {"key": "basic", "fields": {"username": "me"}}}
    told = {}
    with BlockingHarness() as harness:
        for name, wrong in mistakes.items():
            with pytest.raises(IntegrationError) as caught:
                harness.action("sendSMS", {**right, name: wrong})
            text, status = namespace["failure"](caught.value)
            told[name] = (status, name in text, name in caplog.text)
            caplog.clear()
    assert told == {"to": (400, True, False), "from": (500, False, True), "twilioConnection": (500, False, True)}


def test_the_export_writes_every_message_and_shows_how_far_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = [block.code for block in blocks("docs/how-to/scripts.md") if block.file == "export.py"]
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102 - the page's own example
    with BlockingHarness() as harness:
        for number in range(3):
            harness.action("sendSMS", {"to": f"+1555867531{number}", "from": "+15017122661", "message": "Hi"})
        file = tmp_path / "messages.csv"
        assert namespace["export"](harness.host, emulator_connection(), file, pageSize=2) == 3
    with file.open(encoding="utf-8", newline="") as stream:
        rows = [*csv.DictReader(stream)]
    assert sorted(row["to"] for row in rows) == ["+15558675310", "+15558675311", "+15558675312"]
    assert capsys.readouterr().err.endswith("\r3 messages")


def test_await_works_at_top_level_as_in_a_notebook() -> None:
    (cell,) = [block.code for block in blocks("docs/how-to/scripts.md") if "\nhost = await" in block.code]
    namespace: dict[str, Any] = {}

    async def run_cell() -> None:
        # What IPython does with a cell that awaits.
        code = compile(cell, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert code.co_flags & inspect.CO_COROUTINE
        await eval(code, namespace)  # noqa: S307 - the page's own example
        await namespace["host"].__aexit__(None, None, None)

    asyncio.run(run_cell())
    assert isinstance(namespace["host"], Host)


async def test_a_blocking_host_and_harness_work_inside_a_running_loop_as_in_a_notebook() -> None:
    with BlockingHost.discover() as host:
        estimate = host.invoke_action("twilio", "estimateMessage", {"message": "Hi"})
    assert estimate["data"]["segments"] == 1
    with BlockingHarness() as harness:
        assert harness.data_source("selectPhoneNumber")["result"] == []


def test_what_a_notebook_shows_of_a_host_has_no_secret() -> None:
    with BlockingHarness() as harness:
        harness.action("sendSMS", {"to": "+15558675310", "from": "+15017122661", "message": "the text"})
        shown = f"{harness!r} {harness.host!r} {harness.emulator!r} {harness.emulator.messages!r}"
        assert repr(harness.emulator) in repr(harness)
    values = {"Twilio": emulator_connection()}
    call = Call(id="s", name="S", component="c", action="a", inputs=values)
    account = harness.emulator.accounts.default_account()
    shown += f"{Context(config_vars=values)!r} {Configuration(config_vars=values)!r} {call!r} {account!r}"
    secret = emulator_connection()["fields"]["password"]
    assert secret not in shown
    assert "the text" not in shown.replace(repr(harness.emulator.messages), "")
