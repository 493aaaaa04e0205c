"""What exported flows rely on: paths, branches of any action, results inside branches, objects, names, time zones."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from support.flow_runs import Recorder, Waits, integration, run, run_text

from twilio_component.flows import check_file, read_definition
from twilio_component.flows.expressions.references import follow, parse_reference
from twilio_component.flows.parsing.cron import schedule_zone
from twilio_component.host import Host

COMPONENTS = Host.discover().components


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('step.results.[".tag"]', 1),
        ('step.results[".tag"]', 1),
        ("step.results['.tag']", 1),
        ('step.results["a b"].list[0].x', 2),
        ("step.results.a b.list.0.x", 2),
        ('step.results.a b.list.["0"]["x"]', 2),
    ],
)
def test_every_spelling_of_a_path_leads_to_the_same_value(text: str, value: Any) -> None:
    assert follow(parse_reference(text), {".tag": 1, "a b": {"list": [{"x": 2}]}}) == value


DECIDING = """
    - name: Decide
      action: crm.decide
      branches:
        - {name: Urgent, steps: [{name: Call, action: other.call}]}
        - {name: Else, steps: [{name: Write, action: other.write}]}
    """


@pytest.mark.parametrize(("branch", "called"), [("Urgent", "call"), ("Else", "write")])
def test_any_action_takes_the_branch_that_its_result_names(branch: str, called: str) -> None:
    call, write = Recorder("called"), Recorder("written")
    mocks = {"crm.decide": {"data": {"score": 7}, "branch": branch}, "other.call": call, "other.write": write}
    outcome = run(DECIDING, mocks=mocks)
    assert outcome.succeeded
    assert outcome.results["decide"] == {"score": 7}
    assert (len(call.calls), len(write.calls)) == ((1, 0) if called == "call" else (0, 1))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"score": 7}, "the action's result names no branch to take (the step has: Urgent and Else)"),
        ({"data": None, "branch": "Later"}, "Decide has no branch 'Later' (it has: Urgent and Else)"),
    ],
)
def test_an_action_that_names_no_branch_of_its_step_fails(result: Any, message: str) -> None:
    outcome = run(DECIDING, mocks={"crm.decide": result, "other.call": 1, "other.write": 1})
    assert outcome.error is not None
    assert outcome.error["message"] == message


def test_an_installed_action_may_say_that_it_branches(tmp_path: Path) -> None:
    from twilio_component.host import Result
    from twilio_component.host.model import Action, Component, Display

    async def decide(_context: Any, _inputs: dict[str, Any]) -> Result:
        return Result(value={"score": 7}, branch="Urgent")

    display = Display(label="Decide", description="Decides.")
    inputs: dict[str, Any] = {"type": "object", "properties": {}}
    for branches, codes in ((True, []), (False, ["unexpected-branches"])):
        action = Action(key="decide", display=display, perform=decide, inputs=inputs, branches=branches)
        crm = Component(key="crm", display=display, actions={"decide": action})
        found = check_file(tmp_path / "flow.yaml", {**COMPONENTS, "crm": crm}, text=integration(DECIDING))
        assert [one.code for one in found if one.code != "component-not-installed"] == codes


AFTER_BRANCHES = """
    - name: Which
      action: branch.branchOnValue
      inputs: {inputValue: "{{$trigger.results.body.data}}", branchValueMappings: {One: one}}
      branches:
        - name: One
          steps:
            - name: Deeper
              action: branch.branchOnValue
              inputs: {inputValue: x, branchValueMappings: {Y: x}}
              branches:
                - {name: Y, steps: [{name: Inner, action: text-manipulation.upperCase, inputs: {text: inner}}]}
                - {name: Else, steps: []}
        - {name: Else, steps: [{name: Outer, action: text-manipulation.upperCase, inputs: {text: outer}}]}
    - name: Pick
      action: branch.selectExecutedStepResult
      inputs: {stepResult: ["{{$inner.results}}", "{{$outer.results}}"]}
    - {name: Text, action: other.use, inputs: {text: "<{{$outer.results}}>", value: "{{$outer.results}}"}}
    """


@pytest.mark.parametrize(
    ("data", "picked", "text", "value"), [("one", "INNER", "<>", None), ("two", "OUTER", "<OUTER>", "OUTER")]
)
def test_results_inside_branches_can_be_referred_to_after_them(data: str, picked: str, text: str, value: Any) -> None:
    use = Recorder()
    outcome = run(AFTER_BRANCHES, data=data, mocks={"other.use": use})
    assert outcome.results["pick"] == picked
    assert use.calls == [{"text": text, "value": value}]
    assert check_file("flow.yaml", COMPONENTS, text=integration(AFTER_BRANCHES), mocked={"other.use"}) == []


def test_a_loop_goes_over_the_members_of_an_object() -> None:
    use = Recorder("first", "second")
    steps = """
        - name: Each
          action: loop.loopOverItems
          inputs: {items: "{{$trigger.results.body.data}}"}
          steps: [{name: Use, action: other.use, inputs: {pair: "{{$each.currentItem}}", at: "{{$each.index}}"}}]
        """
    for data in ({"a": 1, "b": [2]}, '{"a": 1, "b": [2]}'):
        use = Recorder("first", "second")
        assert run(steps, data=data, mocks={"other.use": use}).result == ["first", "second"]
        assert use.calls == [{"pair": {"key": "a", "value": 1}, "at": 0}, {"pair": {"key": "b", "value": [2]}, "at": 1}]


def test_what_a_form_left_empty_sleeps_a_second_and_loops_a_thousand_times() -> None:
    waits, act = Waits(), Recorder()
    run('- {name: Nap, action: sleep.sleep, inputs: {ms: ""}}', sleep=waits)
    assert waits.seconds == [1]
    steps = "- {name: N, action: loop.loopNTimes, steps: [{name: Act, action: other.act}]}"
    run(steps, mocks={"other.act": act})
    assert len(act.calls) == 1_000


@pytest.mark.parametrize(
    ("data", "arrives"), [('{"a": [1]}', {"a": [1]}), ("[1]", [1]), ("5", "5"), ("text", "text"), ({"a": 1}, {"a": 1})]
)
def test_a_flow_that_is_invoked_with_json_text_gets_what_the_text_holds(data: Any, arrives: Any) -> None:
    use = Recorder()
    text = integration(
        f"- {{name: Go, action: cross-flow.invokeFlow, inputs: {{flowName: Other, data: {json.dumps(data)}}}}}"
    )
    text += """
  - name: Other
    steps:
      - {name: Begin, isTrigger: true, action: cross-flow.crossFlow}
      - {name: Use, action: other.use, inputs: {data: "{{$begin.results.body.data}}"}}
"""
    assert run_text(text, flow="Main", mocks={"other.use": use}).succeeded
    assert use.calls == [{"data": arrives}]


def test_names_are_the_same_in_every_normal_form_of_unicode() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Größe é") for form in ("NFC", "NFD"))
    assert composed != decomposed
    use = Recorder()
    text = f"""
name: Names
requiredConfigVars: [{{key: "{decomposed}", defaultValue: five}}]
flows:
  - name: "{composed}"
    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
      - {{name: "{decomposed}", action: other.first}}
      - name: Which
        action: branch.branchOnExpression
        inputs: {{conditions: {{"{composed}": [exists, "{{{{$größeÉ.results}}}}"]}}}}
        branches:
          - name: "{decomposed}"
            steps: [{{name: Use, action: other.use, inputs: {{a: "{{{{#{composed}}}}}"}}}}]
          - {{name: Else, steps: []}}
"""
    mocks = {"other.first": 1, "other.use": use}
    assert check_file("flow.yaml", COMPONENTS, text=text, mocked=mocks) == []
    assert run_text(text, flow=composed, mocks=mocks).succeeded
    assert use.calls == [{"a": "five"}]


def test_an_unreadable_reference_is_one_finding_and_leaves_the_other_flows_alone(tmp_path: Path) -> None:
    from twilio_component.cli.main import main

    steps = """
        - name: Get
          action: twilio.getSMS
          inputs: {sid: {type: reference, value: trigger.result}, twilioConnection: T}
        """
    text = integration(steps).replace("  []", "  - {key: T, connection: twilio.basic}")
    text = (
        text.rstrip()
        + "\n  - {name: Other, steps: [{name: Begin, isTrigger: true, action: webhook-triggers.webhook}]}\n"
    )
    assert [one.code for one in check_file("flow.yaml", COMPONENTS, text=text)] == ["invalid-reference"]
    path = tmp_path / "flow.yaml"
    path.write_text(text, encoding="utf-8")
    assert main(["flow", "run", str(path), "--flow", "Other"]) == 0
    assert main(["flow", "run", str(path), "--flow", "Main", "--live"]) == 2


def test_flow_check_takes_the_mocks_of_flow_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from twilio_component.cli.main import main

    path = tmp_path / "flow.yaml"
    path.write_text(integration(DECIDING), encoding="utf-8")
    assert main(["flow", "check", str(path)]) == 2
    shown = capsys.readouterr().out
    assert "stand in for it with --mock crm.decide=JSON." in shown
    assert "stand in for it with --mock other.call=JSON --mock other.write=JSON." in shown
    mocks = ["--mock", "crm.decide:Urgent={}", "--mock", "other.call", "--mock", "other.write=1"]
    assert main(["flow", "check", str(path), *mocks]) == 0
    assert main(["flow", "run", str(path), *mocks]) == 0
    assert '"step": "Call"' in capsys.readouterr().out


def test_a_file_may_be_json_with_a_byte_order_mark(tmp_path: Path) -> None:
    steps = [{"name": "Trigger", "isTrigger": True, "action": "webhook-triggers.webhook"}]
    path = tmp_path / "flow.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"name": "T", "flows": [{"name": "F", "steps": steps}]}).encode())
    assert check_file(path, COMPONENTS) == []


@pytest.mark.parametrize(
    ("schedule", "zone"),
    [
        ("{type: configVar, value: When}", "Asia/Kolkata"),
        ('"{{#When}}"', "Asia/Kolkata"),
        ("{type: configVar, value: When, meta: {timeZone: Europe/Berlin}}", "Europe/Berlin"),
        ('{type: value, value: "0 9 * * *", meta: {timeZone: ""}}', ""),
    ],
)
def test_a_schedule_is_kept_in_its_own_zone_or_that_of_its_variable(schedule: str, zone: str) -> None:
    text = f"""
name: Zones
requiredConfigVars: [{{key: When, dataType: schedule, defaultValue: "0 9 * * *", timeZone: Asia/Kolkata}}]
flows:
  - name: F
    steps: [{{name: T, isTrigger: true, action: schedule-triggers.schedule, schedule: {schedule}}}]
"""
    found = read_definition("flow.yaml", text=text).integration
    assert found is not None
    kept = found.flows[0].trigger.schedule
    assert kept is not None
    assert schedule_zone(kept, found.config_variables) == zone


def test_a_finding_points_at_the_member_that_is_wrong() -> None:
    steps = """
        - name: Get
          action: http.httpGet
          inputs:
            url: https://api.example.com
            headers:
              type: complex
              value:
                - {name: {type: value, value: Accept}, type: value, value: "*/*"}
                - name: {type: value, value: X-A}
                  type: complex
                  value: []
            queryParams:
              q: "1"
              r: [1, 2]
        """
    found = check_file("flow.yaml", COMPONENTS, text=integration(steps))
    lines = integration(steps).splitlines()
    assert [lines[one.line - 1].strip() for one in found] == ["value: []", "r: [1, 2]"]
