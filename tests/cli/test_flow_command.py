"""``twilio-component flow check | run | new``, as a person and as a script use them."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support.flow_runs import FIXTURES, integration

from twilio_component.cli.flow_output import TerminalView
from twilio_component.cli.main import main
from twilio_component.flows import Outcome

REMINDERS = str(FIXTURES / "integrations" / "appointment-reminders.yaml")
PROGRAM = str(Path(sys.executable).with_name("twilio-component"))
PAYLOAD = json.dumps({"body": {"data": [{"name": "Ada", "phone": "+15558675310", "time": "9:00"}]}})


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_API_KEY", "TWILIO_API_SECRET", "TWILIO_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PRISMATIC_CONNECTION_VALUE", raising=False)


@pytest.fixture
def flow_file(tmp_path: Path) -> Any:
    def write(steps: str, **options: Any) -> str:
        path = tmp_path / "flow.yaml"
        path.write_text(integration(steps, **options), encoding="utf-8")
        return str(path)

    return write


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_check_says_nothing_of_good_files_and_counts_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "check", REMINDERS, str(FIXTURES / "positive" / "anchors.yaml")]) == 0
    assert capsys.readouterr() == ("", "2 files: 0 errors, 0 warnings\n")


def test_check_prints_a_line_and_a_hint_for_each_finding_and_fails_for_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = str(FIXTURES / "negative" / "twice-the-same-key.yaml")
    assert main(["flow", "check", path]) == 2
    out, err = capsys.readouterr()
    assert out.startswith(f"{path}:2:1: error: ")
    assert "\n    The file must be YAML" in out
    assert err == "1 file: 1 error, 0 warnings\n"


def test_check_passes_a_file_with_warnings_only(flow_file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "check", flow_file("", variables=["Never used"])]) == 0
    assert "warning: nothing uses 'Never used'" in capsys.readouterr().out


def test_check_prints_one_document_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(FIXTURES / "negative" / name) for name in ("references.yaml", "no-object.yaml")]
    assert main(["flow", "check", "--json", *files]) == 2
    out, err = capsys.readouterr()
    findings = json.loads(out)["findings"]
    assert err == ""
    assert {finding["file"] for finding in findings} == set(files)
    assert findings[-1] == {
        "code": "wrong-type",
        "severity": "error",
        "file": files[1],
        "line": 1,
        "column": 1,
        "path": "$",
        "message": "an integration must be an object, not a list",
        "hint": "A value of the wrong kind, such as text where a list belongs.",
    }


def test_run_prints_each_step_as_a_line_of_json_and_then_the_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "run", REMINDERS, "--emulator", "--payload", PAYLOAD]) == 0
    printed = lines(capsys)
    assert [(line["event"], line.get("id")) for line in printed] == [
        ("step", "appointments"),
        ("step", "eachAppointment[0].sendReminder"),
        ("step", "eachAppointment[0].count"),
        ("step", "reminded"),
        ("step", "answer"),
        ("outcome", None),
    ]
    assert printed[1]["result"]["to"] == "+15558675310"
    assert "inputs" not in printed[1]
    assert printed[-1]["status"] == "succeeded"
    assert printed[-1]["result"] == {"reminded": 1}


def test_run_shows_inputs_when_asked_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "run", REMINDERS, "--emulator", "--payload", PAYLOAD, "--trace"]) == 0
    printed = lines(capsys)
    assert printed[1]["inputs"]["twilioConnection"]["fields"]["password"] == "[hidden]"
    assert "emulated-auth-token" not in json.dumps(printed)


def test_a_question_that_nobody_replies_to_for_hours_takes_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(FIXTURES / "integrations" / "appointment-confirmation.yaml")
    payload = json.dumps({"body": {"data": {"phone": "+15558675310", "date": "May 5"}}})
    begun = time.monotonic()
    flow = ["--flow", "Ask about an appointment"]
    assert main(["flow", "run", file, *flow, "--emulator", "--payload", payload]) == 0
    assert time.monotonic() - begun < 60
    assert '"outcome": "timedOut"' in capsys.readouterr().out


def test_run_signs_the_payload_of_a_twilio_webhook_for_the_emulator(capsys: pytest.CaptureFixture[str]) -> None:
    payload = {"body": {"data": {"Body": "hours", "From": "+15558675310"}}}
    file = str(FIXTURES / "integrations" / "two-way-reply.yaml")
    assert main(["flow", "run", file, "--emulator", "--payload", json.dumps(payload)]) == 0
    assert "open from 8 to 18" in lines(capsys)[-1]["response"]["body"]


@pytest.mark.parametrize(
    ("trigger", "also"),
    [
        ("webhook", {}),
        ("inboundMessage", {"Body": "Hello"}),
        ("statusCallback", {"MessageStatus": "sent"}),
        ("conversationEvent", {"EventType": "onMessageAdded", "ConversationSid": f"CH{'2' * 32}"}),
    ],
)
@pytest.mark.parametrize(
    "inputs",
    [
        {"twilioConnection": {"type": "configVar", "value": "Twilio"}},
        {"authToken": "a-token-of-its-own"},
        {"sharedKeys": "webhooks_sharedkey_01k2m4p6r8t0v2x4z6b8d0f2h4=a-shared-secret"},
    ],
)
def test_run_with_the_emulator_signs_for_every_trigger_that_verifies(
    trigger: str, also: dict[str, str], inputs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"name": "Incoming", "isTrigger": True, "action": f"twilio.{trigger}", "inputs": inputs}
    last = {"name": "Say", "action": "log.writeLog", "inputs": {"message": "Hi"}}
    connections = [{"key": "Twilio", "dataType": "connection", "connection": "twilio.basic"}]
    flow = {"name": "F", "requiredConfigVars": connections, "flows": [{"name": "F", "steps": [first, last]}]}
    (tmp_path / "flow.yaml").write_text(json.dumps(flow), encoding="utf-8")
    run = ["flow", "run", str(tmp_path / "flow.yaml"), "--emulator"]
    given = {"From": "+15558675310", "To": "+15017122661", "MessageSid": f"SM{'2' * 32}", **also}
    assert main([*run, "--payload", json.dumps({"body": {"data": given}})]) == 0
    assert lines(capsys)[0]["result"]["body"]["data"] == given
    assert main(run) == 0
    example = json.dumps(lines(capsys)[0]["result"]["body"])
    assert "XXXX" not in example
    assert ("AccountSid" in example) == (trigger != "webhook")


README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_flow_runs_by_its_command_and_without_a_payload_says_which_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = README.read_text(encoding="utf-8")
    (flow,) = re.findall(r"^```yaml\n(name: .*?)^```$", text, re.MULTILINE | re.DOTALL)
    (command,) = re.findall(r"^\$ twilio-component (flow run confirm.yaml .*)$", text, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("confirm.yaml").write_text(flow, encoding="utf-8")
    assert main(shlex.split(command)) == 0
    assert lines(capsys)[-1]["result"]["to"] == "+16055551212"
    assert main(["flow", "run", "confirm.yaml", "--emulator"]) == 1
    assert """give it with --payload '{"body": {"data": {"phone": …}}}'""" in capsys.readouterr().err
    # What a webhook's request carries is the body's data.
    assert main(["flow", "run", "confirm.yaml", "--emulator", "--payload", '{"phone": "+16055551212"}']) == 1
    assert """give it with --payload '{"body": {"data": {"phone": …}}}'""" in capsys.readouterr().err


def test_a_configuration_that_is_taken_for_something_else_is_recognized(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("configVars: {Sender: '+15017122661'}", encoding="utf-8")
    assert main(["flow", "check", str(file)]) == 2
    assert "config.yaml:1:1: error: this is a configuration: give it with --config" in capsys.readouterr().out
    assert main(["flow", "run", str(file)]) == 2
    assert "this is a configuration: give it with --config" in capsys.readouterr().err
    assert main(["connection", "check", "--connection", str(file)]) == 2
    assert "this is a configuration, which serve and flow run take with --config" in capsys.readouterr().err


TWO_STEPS = """\
name: Demo
requiredConfigVars: [{key: Main Account, dataType: connection, connection: twilio.basic}]
flows:
  - name: Reply
    steps:
      - {name: Incoming, isTrigger: true, action: twilio.inboundMessage, inputs: {twilioConnection: Main Acount}}
      - {name: List, action: twilio.listMessages, inputs: {twilioConnection: Main Acount}}
"""


def test_check_names_the_connection_that_was_meant_and_removes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flow.yaml").write_text(TWO_STEPS, encoding="utf-8")
    assert main(["flow", "check", str(tmp_path / "flow.yaml")]) == 2
    out = capsys.readouterr().out
    assert out.count("is not a connection that requiredConfigVars declares; did you mean 'Main Account'?") == 2
    assert "nothing uses 'Main Account'" in out
    assert "Is 'Main Acount' meant to be it?" in out
    assert "Remove it" not in out


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (("isTrigger: true, ", ""), "'inboundMessage' of twilio is a trigger: its step has isTrigger: true"),
        (
            ("{name: List, ", "{name: List, isTrigger: true, "),
            "'listMessages' of twilio is an action, without isTrigger",
        ),
    ],
)
def test_check_tells_a_trigger_from_an_action(
    step: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flow.yaml").write_text(TWO_STEPS.replace(*step), encoding="utf-8")
    assert main(["flow", "check", str(tmp_path / "flow.yaml")]) == 2
    out = capsys.readouterr().out
    assert said in out
    assert "--mock" not in out


def test_run_takes_payload_and_configuration_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    payload, config = tmp_path / "payload.yaml", tmp_path / "config.yaml"
    payload.write_text(PAYLOAD, encoding="utf-8")
    config.write_text('configVars: {Practice: North, Sender: "+15017122662"}', encoding="utf-8")
    arguments = ["flow", "run", REMINDERS, "--emulator", "--payload", str(payload), "--config", str(config)]
    assert main(arguments) == 0
    sent = lines(capsys)[1]["result"]
    assert (sent["from"], sent["body"]) == ("+15017122662", "Hi Ada, see you tomorrow at 9:00. North")


def test_run_reads_the_payload_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PAYLOAD.encode())))
    assert main(["flow", "run", REMINDERS, "--emulator", "--payload", "-"]) == 0
    assert lines(capsys)[-1]["result"] == {"reminded": 1}


def test_run_sends_nothing_real_unless_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "run", REMINDERS, "--payload", PAYLOAD]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("This flow really does twilio.sendSMS; add --live to run it")


@pytest.mark.parametrize(("answer", "code"), [("y\n", 1), ("n\n", 2), ("", 2)])
def test_run_asks_a_person_at_a_terminal(
    answer: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    asked = Terminal()
    monkeypatch.setattr("sys.stderr", asked)
    # Without a connection the send fails before anything leaves this machine.
    assert main(["flow", "run", REMINDERS, "--payload", PAYLOAD]) == code
    assert "Run it? [y/N] " in asked.getvalue()
    capsys.readouterr()


def test_run_needs_no_permission_for_what_does_no_harm(flow_file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = flow_file("- {name: Log, action: log.writeLog, inputs: {message: hello}}")
    assert main(["flow", "run", file]) == 0
    assert lines(capsys)[-1]["status"] == "succeeded"


def test_live_sends_really_and_a_missing_connection_is_an_error_of_the_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["flow", "run", REMINDERS, "--payload", PAYLOAD, "--live"]) == 1
    outcome = lines(capsys)[-1]
    assert outcome["error"]["code"] == "input-invalid"
    assert "accountSid" in outcome["error"]["message"]


def test_mocks_stand_in_for_what_is_not_installed(flow_file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    steps = """
        - {name: Post, action: slack.postMessage}
        - {name: Other, action: slack.other}
        - {name: Send, action: twilio.sendSMS}
        - {name: Code, action: code.runCode, inputs: {code: "return 1"}}
        """
    mocks = ["--mock", 'slack.postMessage={"ok": true}', "--mock", "slack.other", "--mock", "twilio.sendSMS"]
    assert main(["flow", "run", flow_file(steps), *mocks, "--mock", "code.runCode=1"]) == 0
    results = {line["step"]: line["result"] for line in lines(capsys) if line["event"] == "step"}
    assert results["Post"] == {"ok": True}
    assert results["Other"] is None
    assert results["Send"]["sid"].startswith("SM")
    assert results["Code"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mock", "slack.post={"], "its value is not JSON"),
        (["--mock", "slack.postMesage=1"], "the mock 'slack.postMesage' stands for no step"),
        (["--payload", "[]"], "--payload:1:1: $: must be an object"),
        (["--payload", "{"], "--payload is not valid JSON"),
        (["--payload", '{"a": [1 2}'], "while parsing a list"),
        (["--flow", "Mian"], "has no flow 'Mian'; did you mean 'Main'?"),
        (["--config", "nowhere.yaml"], "nowhere.yaml cannot be read"),
    ],
)
def test_bad_arguments_are_explained_and_nothing_is_run(
    arguments: list[str], message: str, flow_file: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = flow_file("- {name: Post, action: slack.postMessage}")
    assert main(["flow", "run", file, "--mock", "slack.postMessage", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_flows_that_a_flow_starts_are_looked_at_too(capsys: pytest.CaptureFixture[str]) -> None:
    batches = str(FIXTURES / "integrations" / "batches.yaml")
    payload = json.dumps({"body": {"data": {"numbers": ["+15558675310"] * 3, "text": "Hello"}}})
    assert main(["flow", "run", batches, "--flow", "Split", "--payload", payload]) == 2
    assert "really does twilio.sendSMS" in capsys.readouterr().err
    assert main(["flow", "run", batches, "--flow", "Split", "--payload", payload, "--emulator"]) == 0
    printed = lines(capsys)
    assert [line["starts"] for line in printed if line["event"] == "start"] == ["Send batch"] * 2
    assert [started["status"] for started in printed[-1]["started"]] == ["succeeded"] * 2
    assert main(["flow", "run", batches]) == 2
    assert "has 2 flows; say which one to run: Split and Send batch" in capsys.readouterr().err


def test_what_a_flow_logs_goes_to_standard_error(flow_file: Any) -> None:
    file = flow_file("- {name: Log, action: log.writeLog, inputs: {message: Hello from the flow}}")
    command = [PROGRAM, "flow", "run", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Hello from the flow" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "succeeded"


def test_a_payload_must_be_an_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "payload.json"
    file.write_text("[1]", encoding="utf-8")
    assert main(["flow", "run", REMINDERS, "--emulator", "--payload", str(file)]) == 2
    assert "must be an object" in capsys.readouterr().err


def test_a_wrong_file_is_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    for name, code in (("not-yaml.yaml", "document-unreadable"), ("inputs.yaml", "missing-input")):
        assert main(["flow", "run", str(FIXTURES / "negative" / name), "--flow", "Main", "--emulator"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert code in err


def test_what_is_wrong_with_other_flows_of_the_file_does_not_matter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        """
name: Two
flows:
  - name: Broken
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Post, action: slack.postMessage}
  - name: Good
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Post, action: slack.postMessage, inputs: {a: 1}}
"""
    )
    assert main(["flow", "run", str(file), "--flow", "Good", "--mock", "slack.postMessage"]) == 0
    capsys.readouterr()
    # But a component that the flow itself lacks is missed, whichever flow named it first.
    assert main(["flow", "run", str(file), "--flow", "Good"]) == 2
    assert "'slack' is not installed" in capsys.readouterr().err


def test_an_unknown_outcome_has_an_exit_code_of_its_own(
    flow_file: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from twilio_component.emulator import Emulator

    emulator = Emulator()
    emulator.faults.drop(accepted=True)
    monkeypatch.setattr("twilio_component.emulator.Emulator", lambda: emulator)
    steps = """
        - name: Send
          action: twilio.sendSMS
          inputs: {twilioConnection: Twilio, to: "+15558675310", from: "+15017122661", message: Hello}
          errorConfig: {errorHandlerType: retry, maxAttempts: 3}
        """
    file = Path(flow_file(steps))
    declared = "requiredConfigVars: [{key: Twilio, connection: twilio.basic}]"
    file.write_text(file.read_text().replace("requiredConfigVars:\n  []", declared))
    assert main(["flow", "run", str(file), "--emulator"]) == 3
    assert lines(capsys)[-1]["error"]["outcomeUnknown"] is True
    emulator.assert_sent(times=1)


def test_new_writes_a_flow_that_checks_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["flow", "new", "reminders.yaml"]) == 0
    assert main(["flow", "check", "reminders.yaml"]) == 0
    payload = '{"body": {"data": {"name": "Ada", "phone": "+15558675310"}}}'
    command = f"flow run reminders.yaml --emulator --payload '{payload}'"
    assert f"twilio-component {command}" in Path("reminders.yaml").read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["flow", "run", "reminders.yaml", "--emulator", "--payload", payload]) == 0
    assert lines(capsys)[-1]["result"]["status"] == "queued"
    assert main(["flow", "run", "reminders.yaml", "--emulator"]) == 0
    assert lines(capsys)[-1]["response"]["statusCode"] == 400


def test_new_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("mine")
    assert main(["flow", "new", str(file)]) == 2
    assert main(["flow", "new", str(tmp_path / "no" / "folder.yaml")]) == 2
    assert file.read_text() == "mine"
    assert "the file exists already" in capsys.readouterr().err


def test_a_terminal_shows_a_line_for_each_event_and_the_result_at_the_end() -> None:
    stream = io.StringIO()
    view = TerminalView(stream, folds=False)
    step = {"event": "step", "id": "loop[0].send", "action": "twilio.sendSMS", "milliseconds": 42.0}
    view.event({**step, "event": "begin"})
    view.event({**step, "result": {"sid": "SM1"}, "inputs": {"to": "x\n\x1b[31m"}})
    view.event({**step, "error": {"message": "refused"}})
    view.event({"event": "wait", "id": "nap", "seconds": 1.5, "reason": "sleep"})
    view.event({"event": "start", "step": "Hand over", "starts": "Send batch"})
    error = {"id": "a", "message": "no", "resolution": "ignored", "outcomeUnknown": True}
    common: dict[str, Any] = {"execution_id": "1", "results": {}}
    started = Outcome(flow="B", result=None, response=None, error=error, handled=(), **common)
    response = {"statusCode": 200, "body": "ok"}
    view.outcome(Outcome(flow="C", result=None, response=None, error=None, handled=(), **common))
    view.outcome(
        Outcome(flow="A", result=[1], response=response, error=None, handled=(error,), started=(started,), **common)
    )
    shown = stream.getvalue().replace("\r\x1b[K", "<")
    assert shown.splitlines() == [
        '<…  loop[0].send  twilio.sendSMS<✓  loop[0].send  twilio.sendSMS  42 ms  {"sid": "SM1"}',
        '<     {"to": "x\\n\\u001b[31m"}',
        "<✗  loop[0].send  twilio.sendSMS  42 ms  refused",
        "<…  nap: waits 1.5 s (sleep)",
        "<→  Hand over: starts Send batch",
        "",
        "C succeeded:",
        "null",
        "<!  a: no (ignored)",
        "",
        "A succeeded:",
        "[",
        "  1",
        "]",
        "HTTP response: 200: ok",
        "Something may or may not have happened: check before you run it again.",
        "",
        "B failed at a: no",
        "Something may or may not have happened: check before you run it again.",
    ]


def test_the_program_itself_runs_a_flow() -> None:
    command = [PROGRAM, "flow", "check", REMINDERS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("given", "typed", "problem"),
    [("[1]", "", "must be an object"), ('"x"', "", "must be an object"), ("-", " \n", "<standard input>: is empty")],
)
def test_a_payload_that_is_not_an_object_is_refused_as_what_it_is(
    given: str, typed: str, problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    assert main(["flow", "run", REMINDERS, "--emulator", "--payload", given]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_run_warns_of_text_that_would_be_sent_instead_of_a_value(
    options: list[str], flow_file: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = flow_file("- {name: Log, action: log.writeLog, inputs: {message: 'Hi {{trigger.results.body.data}}'}}")
    assert main(["flow", "run", path, *options]) == 0
    assert "warning: '{{trigger.results.body.data}}' looks like a placeholder but is text" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["flow", "invoke"])
def test_a_command_that_is_told_to_end_says_that_a_send_under_way_is_unknown(
    command: str, flow_file: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM, of a service manager or a scheduler, leaves the same line as Ctrl-C."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def terminate_once_it_is_written() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                os.kill(os.getpid(), signal.SIGTERM)
                connection.recv(65_536)  # until the client goes away, and no response

        thread = threading.Thread(target=terminate_once_it_is_written, daemon=True)
        thread.start()
        fields = {"username": f"AC{1:032}", "password": "token"}
        connection = {"key": "basic", "fields": {**fields, "baseUrl": f"http://127.0.0.1:{server.getsockname()[1]}"}}
        inputs = {"to": "+15558675310", "from": "+15017122661", "message": "Hi"}
        if command == "invoke":
            (tmp_path / "inputs.json").write_text(json.dumps({**inputs, "twilioConnection": connection}))
            code = main(["invoke", "twilio.sendSMS", "--inputs", str(tmp_path / "inputs.json")])
        else:
            step = {"name": "Send", "action": "twilio.sendSMS", "inputs": {**inputs, "twilioConnection": "Twilio"}}
            file = flow_file(f"- {json.dumps(step)}", variables=["Twilio, connection: twilio.basic"])
            (tmp_path / "config.yaml").write_text(json.dumps({"configVars": {"Twilio": connection}}))
            code = main(["flow", "run", file, "--live", "--config", str(tmp_path / "config.yaml")])
        thread.join()
    out, err = capsys.readouterr()
    assert code == 3
    if command == "flow":
        outcome = json.loads(out.splitlines()[-1])
        assert (outcome["event"], outcome["status"]) == ("outcome", "unknown")
    assert "interrupted" not in err
