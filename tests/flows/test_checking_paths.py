"""Paths of references, items' files and webhook paths, as a check finds them before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.flow_runs import integration

from twilio_component.builtins.plugin import MANIFESTS
from twilio_component.flows import check_file, load_integration, read_definition
from twilio_component.flows.checking.flow_names import same_paths
from twilio_component.flows.runner.trigger_payload import ExecutionInfo, complete_payload
from twilio_component.host import Host

COMPONENTS = Host.discover().components


def found(text: str, file: Path | str = "test.yaml", mocked: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(finding.code, finding.message) for finding in check_file(file, COMPONENTS, text=text, mocked=mocked)]


def flow_of_trigger(trigger: str, reference: str) -> str:
    return (
        f"name: Test\nflows:\n  - name: Main\n    steps:\n      - {{name: Start, isTrigger: true, action: {trigger}}}\n"
        f"      - {{name: Log, action: log.writeLog, inputs: {{message: 'It is {{{{${reference}}}}}'}}}}\n"
    )


@pytest.mark.parametrize(
    ("trigger", "reference", "message"),
    [
        ("webhook-triggers.webhook", "start.results.body.data.any.thing", ""),
        ("webhook-triggers.webhook", "start.results.headers.X-Request-Id", ""),
        ("webhook-triggers.webhook", "start.results.queryParamters.a", "'queryParamters'; did you mean 'query"),
        ("webhook-triggers.webhook", "start.results.body.contentType.length", "start.results.body.contentType has no"),
        ("twilio.inboundMessage", "start.results.message.body", ""),
        ("twilio.inboundMessage", "start.results.message.boddy", "start.results.message has no 'boddy'; did you mean"),
        ("twilio.inboundMessage", "start.results.sender", "start.results has no 'sender'"),
        ("twilio.statusCallback", "start.results.status", ""),
        ("twilio.pollChangesTrigger", "start.results.body.data.created.0.sid", ""),
        ("twilio.pollChangesTrigger", "start.results.body.data.created.first.sid", "created is a list"),
    ],
)
def test_a_path_that_the_trigger_cannot_return_is_found(trigger: str, reference: str, message: str) -> None:
    paths = [text for code, text in found(flow_of_trigger(trigger, reference)) if code == "unknown-path"]
    assert bool(paths) == bool(message)
    assert message in "".join(paths)


def test_a_path_into_an_actions_results_is_checked_unless_the_action_is_mocked() -> None:
    text = integration(
        """
        - {name: Get, action: twilio.getSMS, inputs: {sid: "{{$trigger.results.body.data.sid}}"}}
        - {name: Log, action: log.writeLog, inputs: {message: "{{$get.results.statuss}} {{$get.results.unheardOf}}"}}
        """
    )
    paths = [finding for finding in found(text) if finding[0] == "unknown-path"]
    # Twilio may add fields to a message, so only what is nearly one of its fields is suspicious.
    assert paths == [("unknown-path", "get.results has no 'statuss'; did you mean 'status'?")]
    assert not [code for code, _ in found(text, mocked=("twilio.getSMS",)) if code == "unknown-path"]


def test_the_declared_payload_of_the_built_in_triggers_is_the_one_that_they_get() -> None:
    declared = json.loads((MANIFESTS / "payload-schema.json").read_text(encoding="utf-8"))
    definition = load_integration("test.yaml", text=integration("- {name: Log, action: log.writeLog}"))
    info = ExecutionInfo(execution_id="e", started_at="2026-01-01T00:00:00.000Z")
    request = {"method": "POST", "rawBody": {"data": "{}", "contentType": "application/json"}}
    payload = complete_payload(request, definition, definition.flows[0], info)
    assert set(payload) == set(declared["properties"])
    for key, value in payload.items():
        properties = declared["properties"][key].get("properties")
        assert properties is None or set(value) == set(properties)


@pytest.mark.parametrize(
    ("name", "code", "message", "hint"),
    [
        ("people.csv", "", "", ""),
        ("absent.csv", "unreadable-items", "No such file", "looked for beside the flow's file"),
        ("folder.csv", "unreadable-items", "cannot be read", "looked for beside the flow's file"),
        ("broken.csv", "unreadable-items", "broken.csv:1: the first line must be the names", "Correct the file"),
        ("people.txt", "invalid-loop", "must be a .csv, .jsonl or .ndjson file", "Give its path"),
        ("../people.csv", "invalid-loop", "must be inside the folder", "Give its path"),
        ("/etc/people.csv", "invalid-loop", "must be inside the folder", "Give its path"),
        ("5", "invalid-loop", "must be text", "Write file: recipients.csv"),
        ("'{{#File}}'", "", "", ""),
    ],
)
def test_a_file_of_items_that_no_run_could_read_is_found(
    tmp_path: Path, name: str, code: str, message: str, hint: str
) -> None:
    (tmp_path / "people.csv").write_text("name\nAda\n", encoding="utf-8")
    (tmp_path / "broken.csv").write_text("name,name\nAda,B\n", encoding="utf-8")
    (tmp_path / "folder.csv").mkdir()
    loop = f"- {{name: Each, action: loop.loopOverItems, itemsFrom: {{file: {name}}}, steps: []}}"
    variables = ["File"] if "#File" in name else []
    text = integration(loop, variables=variables)
    findings = check_file(tmp_path / "flow.yaml", COMPONENTS, text=text)
    assert [one.code for one in findings] == [code] * bool(code)
    assert message in "".join(one.message for one in findings)
    assert hint in "".join(one.hint for one in findings)


def _two_flows(first: str, second: str, trigger: str = "webhook-triggers.webhook") -> str:
    schedule = ', schedule: "0 9 * * *"' if trigger.startswith("schedule") else ""
    steps = f"[{{name: Start, isTrigger: true, action: {trigger}{schedule}}}]"
    return f"name: Test\nflows:\n  - {{name: {first}, steps: {steps}}}\n  - {{name: {second}, steps: {steps}}}\n"


def test_two_flows_of_one_webhook_path_are_found_as_a_server_would_refuse_them() -> None:
    assert found(_two_flows("Send it", "send IT!")) == [
        ("duplicate-name", "the webhook of 'send IT!' would have the same path as that of 'Send it'")
    ]
    assert found(_two_flows("Send it", "Send that")) == []
    assert found(_two_flows("Send it", "send IT!", "schedule-triggers.schedule")) == []


SHARED = """\
name: Demo
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: {component: twilio, key: basic}}
  - {key: Number, dataType: string}
flows:
"""
SHARING = """\
  - name: NAME
    steps:
      - {name: Start, isTrigger: true, action: twilio.TRIGGER, inputs: {twilioConnection: "{{#Twilio}}", INPUT}}
"""
NUMBER, OTHER_NUMBER = "phoneNumber: '+15017122661'", "phoneNumber: '+15017122662'"
CONFIGURED = "phoneNumber: {type: configVar, value: Number}"
SERVICE = "messagingServiceSid: MG00000000000000000000000000000001"


@pytest.mark.parametrize(
    ("first", "second", "is_shared"),
    [
        (("webhook", NUMBER), ("inboundMessage", NUMBER), True),
        (("inboundMessage", CONFIGURED), ("inboundMessage", CONFIGURED), True),
        (("inboundMessage", NUMBER), ("inboundMessage", OTHER_NUMBER), False),
        (("inboundMessage", SERVICE), ("statusCallback", SERVICE), False),
    ],
)
def test_only_one_flow_has_the_webhook_of_a_number_or_service(
    first: tuple[str, str], second: tuple[str, str], *, is_shared: bool
) -> None:
    flows = [
        SHARING.replace("NAME", name).replace("TRIGGER", trigger).replace("INPUT", given)
        for name, (trigger, given) in (("Ask", first), ("Tell", second))
    ]
    findings = check_file("demo.yaml", COMPONENTS, text=SHARED + "".join(flows))
    shared = [one for one in findings if one.code == "shared-webhook"]
    assert [one.line for one in shared] == ([11] if is_shared else [])
    assert all("'Ask' has the same phoneNumber (line 8), and" in one.message for one in shared)


def test_flows_of_two_files_with_one_path_are_found_though_each_file_may_be_served_alone() -> None:
    texts = [
        _two_flows("Send it", "Other"),
        _two_flows("Else", "send IT!"),
        _two_flows("Send it", "x").replace("Test", "T"),
    ]
    definitions = [read_definition(f"{number}.yaml", text=text) for number, text in enumerate(texts)]
    (finding,) = same_paths(definitions)
    assert (finding.severity, finding.file, finding.line) == ("warning", "1.yaml", 4)
    assert finding.message == "'send IT!' would have the path /test/sendIt of 'Send it' in 0.yaml"
