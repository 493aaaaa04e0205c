from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.flow_runs import FIXTURES, integration

from twilio_component.flows import check_file, read_definition
from twilio_component.flows.findings import CODES
from twilio_component.host import Host

COMPONENTS = Host.discover().components
POSITIVE = sorted([*FIXTURES.glob("positive/*.yaml"), *FIXTURES.glob("integrations/*.yaml")])
NEGATIVE = sorted(FIXTURES.glob("negative/*.yaml"))
_MARK = re.compile(r"# finds ([a-z-]+(?:, [a-z-]+)*)$")


def expected(path: Path) -> list[tuple[int, str]]:
    """The findings that a file says it has: a comment at the end of the line where each is."""
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return [(number, code) for number, line in lines if (mark := _MARK.search(line)) for code in mark[1].split(", ")]


@pytest.mark.parametrize("path", POSITIVE, ids=lambda path: path.stem)
def test_nothing_is_found_in_a_good_file(path: Path) -> None:
    assert [str(finding) for finding in check_file(path, COMPONENTS)] == []


@pytest.mark.parametrize("path", NEGATIVE, ids=lambda path: path.stem)
def test_everything_is_found_at_its_line_and_nothing_else(path: Path) -> None:
    found = [(finding.line, finding.code) for finding in check_file(path, COMPONENTS)]
    assert sorted(found) == sorted(expected(path))


def test_each_code_has_a_case() -> None:
    of_several_files = {"same-path"}
    assert {code for path in NEGATIVE for _, code in expected(path)} | of_several_files == CODES.keys()


@pytest.mark.parametrize("path", NEGATIVE, ids=lambda path: path.stem)
def test_findings_come_in_the_order_of_the_file_with_column_path_and_hint(path: Path) -> None:
    findings = check_file(path, COMPONENTS)
    assert [finding.line for finding in findings] == sorted(finding.line for finding in findings)
    for finding in findings:
        assert finding.column >= 1
        assert finding.path.startswith("$")
        assert finding.as_json()["severity"] == CODES[finding.code][0]
        assert str(finding.line) in str(finding)


def test_a_file_that_is_not_there_is_a_finding() -> None:
    (finding,) = check_file("nowhere.yaml", COMPONENTS)
    assert (finding.code, finding.file, finding.line, finding.column) == ("document-unreadable", "nowhere.yaml", 1, 1)


def test_a_mocked_action_need_not_be_installed() -> None:
    from twilio_component.flows import check_integration

    definition = read_definition("t", text=integration("- {name: Post, action: slack.postMessage, inputs: {a: 1}}"))
    assert [finding.code for finding in check_integration(definition, COMPONENTS)] == ["component-not-installed"]
    assert check_integration(definition, COMPONENTS, mocked={"slack.postMessage"}) == []


# What a person reads for ten typical mistakes: place, severity, message, code and, on the next line, the hint.
MISTAKES = {
    "a misspelt step": (
        """
        - {name: Send SMS, action: log.writeLog}
        - name: Log
          action: log.writeLog
          inputs: {message: "{{$sendSMS.results.sid}}"}
        """,
        (
            "test.yaml:13:27: error: there is no step 'sendSMS'; did you mean 'sendSms'? (unknown-step-reference)\n"
            "    References can name trigger and sendSms here."
        ),
    ),
    "a missing input": (
        """
        - name: Get
          action: twilio.getSMS
          inputs: {twilioConnection: "{{$trigger.results.body.data.connection}}"}
        """,
        (
            "test.yaml:12:9: error: twilio.getSMS needs the input 'sid', which is required (missing-input)\n"
            "    The message's identifier. For example: SMXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        ),
    ),
    "a misspelt input": (
        """
        - name: Log
          action: log.writeLog
          inputs: {mesage: Hello}
        """,
        (
            "test.yaml:12:18: error: log.writeLog has no input 'mesage'; did you mean 'message'? (unknown-input)\n"
            "    Its inputs are level and message."
        ),
    ),
    "a misspelt action": (
        "- {name: Send, action: twilio.sendSms}",
        (
            "test.yaml:9:30: error: twilio has no action 'sendSms'; did you mean 'sendSMS'? (unknown-action)\n"
            "    Correct the key, or, in `flow run`, stand in for it with --mock twilio.sendSms=JSON."
        ),
    ),
    "a component that is not installed": (
        "- {name: Post, action: slack.postMessage}",
        (
            "test.yaml:9:30: error: the component 'slack' is not installed (component-not-installed)\n"
            "    Install the Python package that provides it (its entry point is in the group "
            "integration_components: pip install PACKAGE), or, in `flow run`, stand in for it with "
            "--mock slack.postMessage=JSON."
        ),
    ),
    "an undeclared config variable": (
        """
        - name: Log
          action: log.writeLog
          inputs: {message: "from {{#Sendr}}", level: "{{#Sender}}"}
        """,
        (
            "test.yaml:12:27: error: the config variable 'Sendr' is not declared; did you mean 'Sender'? "
            "(undeclared-config-variable)\n"
            "    Declare it in requiredConfigVars, which has Sender."
        ),
    ),
    "a branch without Else": (
        """
        - name: Which
          action: branch.branchOnExpression
          inputs: {conditions: {Yes: [isTrue, "{{$trigger.results.body.data}}"]}}
          branches: [{name: Yes, steps: []}]
        """,
        (
            "test.yaml:13:9: error: 'Which' has no branch named Else (branch-without-else)\n"
            "    Add {name: Else, steps: []} as its last branch, for when no other condition is true."
        ),
    ),
    "an operator that does not exist": (
        """
        - name: Which
          action: branch.branchOnExpression
          inputs: {conditions: {Else: [equals, 1, 2]}}
          branches: [{name: Else, steps: []}]
        """,
        (
            "test.yaml:12:38: error: 'equals' is not an operator; did you mean 'equal'? (invalid-condition)\n"
            "    Conditions look like [and, [equal, left, right], [exists, term]]. Operators: isTrue, isFalse, exists, "
            "doesNotExist, isEmpty, isNotEmpty, equal, notEqual, exactlyMatches, doesNotExactlyMatch, greaterThan, "
            "greaterThanOrEqual, lessThan, lessThanOrEqual, in, notIn, startsWith, doesNotStartWith, endsWith, "
            "doesNotEndWith, dateTimeAfter, dateTimeBefore and dateTimeSame."
        ),
    ),
    "a misspelt key": (
        "- {name: Log, action: log.writeLog, errorConfg: {errorHandlerType: retry}}",
        (
            "test.yaml:9:43: error: 'errorConfg' is not known here; did you mean 'errorConfig'? (misspelt-key)\n"
            "    Known: name, description, isTrigger, action, inputs, schedule, steps, concurrency, itemsFrom, "
            "branches, validFor, quietHours, order and errorConfig."
        ),
    ),
    "a currentItem outside its loop": (
        """
        - {name: Each, action: loop.loopOverItems, inputs: {items: "{{$trigger.results.body.data}}"}, steps: []}
        - {name: Log, action: log.writeLog, inputs: {message: "{{$each.currentItem.name}}"}}
        """,
        (
            "test.yaml:11:61: error: 'each' is a loop, but not around this step, so it has no currentItem here "
            "(loop-item-outside-loop)\n"
            "    There is no loop around this step."
        ),
    ),
    "a reference into another branch": (
        """
        - name: Which
          action: branch.branchOnExpression
          inputs: {conditions: {Yes: [isTrue, "{{$trigger.results.body.data}}"]}}
          branches:
            - {name: Yes, steps: [{name: Send, action: log.writeLog}]}
            - {name: Else, steps: [{name: Log, action: log.writeLog, inputs: {message: "{{$send.results}}"}}]}
        """,
        (
            "test.yaml:15:86: error: the step 'send' is inside a branch or a loop, and its results cannot be seen from "
            "here (other-branch-reference)\n"
            "    Refer to it from inside, or keep its result with persist-data.saveExecutionValue."
        ),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_typical_mistake_is_explained(mistake: str) -> None:
    steps, message = MISTAKES[mistake]
    variables = ["Sender"] if "Sender" in steps else []
    findings = check_file("test.yaml", COMPONENTS, text=integration(steps, variables=variables))
    assert [str(finding) for finding in findings] == [message]
