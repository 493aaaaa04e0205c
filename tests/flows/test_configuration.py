from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.flow_runs import run_text

from twilio_component.flows import Configuration, load_integration, read_configuration
from twilio_component.flows.model import environment_name
from twilio_component.flows.runner.configuration import _SECTIONS, check_names, config_values
from twilio_component.host import Host
from twilio_component.host.errors import DocumentError, InputError, PerformError, join_names
from twilio_component.host.redaction import HIDDEN, RedactingLogger, Redactor
from twilio_component.testing import RecordingLogger

COMPONENTS = Host.discover().components
INTEGRATION = load_integration(
    "test.yaml",
    text="""
name: Test
requiredConfigVars:
  - key: Twilio Connection
    dataType: connection
    connection: twilio.apiKeySecret
    inputs:
      accountSid: {type: value, value: AC00000000000000000000000000000001}
      apiKey: {type: value, value: ""}
      region: {type: configVar, value: Nothing}
  - {key: Slack, dataType: connection, connection: slack.oauth2, inputs: {clientId: "", signingSecret: slack-secret}}
  - {key: Sender, defaultValue: "+1"}
  - {key: Empty, defaultValue: ""}
  - {key: Nothing}
  - {key: Webhook Secret, defaultValue: my-secret-value}
  - {key: Items, defaultValue: [1]}
flows: []
""",
)
KEY = "SK00000000000000000000000000000001"


def values(environment: dict[str, str] | None = None, /, **config_vars: Any) -> Any:
    return config_values(INTEGRATION, Configuration(config_vars=config_vars), COMPONENTS, environment or {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Sender", "FLOW_SENDER"), ("Twilio Connection", "FLOW_TWILIO_CONNECTION"), ("on-call (1st)", "FLOW_ON_CALL_1ST")],
)
def test_a_config_variable_has_an_environment_variable(name: str, expected: str) -> None:
    assert environment_name(name) == expected


def test_the_environment_wins_over_the_configuration_and_that_over_the_default() -> None:
    assert values().by_name["Sender"] == "+1"
    assert values(Sender="+2").by_name["Sender"] == "+2"
    assert values({"FLOW_SENDER": "+3"}, Sender="+2").by_name["Sender"] == "+3"


def test_a_variable_that_nobody_gives_a_value_has_none() -> None:
    assert "Nothing" not in values().by_name
    assert values().by_name["Empty"] == ""
    assert values().by_name["Items"] == [1]


def test_a_connections_fields_come_from_the_file_and_the_deployment() -> None:
    expected = {"key": "apiKeySecret", "fields": {"accountSid": "AC00000000000000000000000000000001", "apiKey": KEY}}
    for given in ({"key": "apiKeySecret", "fields": {"apiKey": KEY}}, {"fields": {"apiKey": KEY}}, {"apiKey": KEY}):
        assert values({}, **{"Twilio Connection": given}).by_name["Twilio Connection"] == expected
        environment = {"FLOW_TWILIO_CONNECTION": json.dumps(given)}
        assert values(environment).by_name["Twilio Connection"] == expected
    other = {"key": "basic", "fields": {"username": "AC2", "password": "token"}}
    assert values({}, **{"Twilio Connection": other}).by_name["Twilio Connection"]["key"] == "basic"


def test_a_connections_fields_may_use_other_config_variables_but_no_steps() -> None:
    found = values({}, Nothing="ie1").by_name["Twilio Connection"]["fields"]
    assert found["region"] == "ie1"
    text = """
name: Test
requiredConfigVars:
  - {key: Other, connection: other.oauth2, inputs: {url: "{{$trigger.results.body}}"}}
flows: []
"""
    integration = load_integration("test.yaml", text=text)
    with pytest.raises(InputError, match=r"a connection cannot refer to a step, as trigger\.results\.body does"):
        config_values(integration, Configuration(), COMPONENTS, {})


def test_a_connection_is_taken_from_the_components_own_environment_variables_too() -> None:
    environment = {
        "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000002",
        "TWILIO_API_KEY": KEY,
        "TWILIO_API_SECRET": "a-very-secret-secret",
    }
    found = values(environment)
    assert found.by_name["Twilio Connection"]["fields"] == {
        "accountSid": "AC00000000000000000000000000000002",
        "apiKey": KEY,
        "apiSecret": "a-very-secret-secret",
    }
    assert "a-very-secret-secret" in found.secrets
    assert KEY not in found.secrets


def test_what_is_secret_is_known_by_the_manifest_and_of_unknown_kinds_everything_is() -> None:
    assert values().secrets == {"slack-secret", "my-secret-value"}
    assert "tok" not in values(Slack={"token": "tok"}).secrets


def test_each_of_several_secrets_in_one_field_is_hidden() -> None:
    found = values(**{"Twilio Connection": {"sharedKeys": "key-1=first-secret key-2=second=secret"}}).secrets
    assert {"first-secret", "second=secret"} <= found
    assert "key-1" not in found


@pytest.mark.parametrize(
    ("environment", "config_vars", "message"),
    [
        ({}, {"Twilio Connection": "text"}, "configVars.Twilio Connection: must be a connection"),
        ({"FLOW_SLACK": "{"}, {}, "configVars.Slack: FLOW_SLACK must be a connection as JSON"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    environment: dict[str, str], config_vars: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        values(environment, **config_vars)
    assert message in str(caught.value)


def test_a_misspelt_name_is_told_from_those_of_other_integrations() -> None:
    check_names([INTEGRATION], Configuration(config_vars={"Something else": 1}))
    with pytest.raises(InputError, match=r"'Sendr' is not a config variable of Test; did you mean 'Sender'\?"):
        check_names([INTEGRATION], Configuration(config_vars={"Sendr": "+1"}))
    # One that is given under its own name is not misspelt, and another integration may have one that resembles it.
    check_names([INTEGRATION], Configuration(config_vars={"Sender": "+1", "Sender 2": "+2"}))
    other = load_integration("other.yaml", text="{name: Other, requiredConfigVars: [{key: Sender 2}], flows: []}")
    check_names([INTEGRATION, other], Configuration(config_vars={"Sender 2": "+2"}))


def test_a_definition_of_an_earlier_deployment_runs_beside_names_that_came_since() -> None:
    assert values({}, **{"Sender Two": "+2"}).by_name["Sender"] == "+1"


def test_a_configuration_file_gives_variables_and_hosts(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text('configVars: {Sender: "+1"}\nhttpHosts: [api.example.com]\n')
    assert read_configuration(file) == Configuration(config_vars={"Sender": "+1"}, http_hosts=("api.example.com",))
    file.write_text("configVars:\nhttpHosts:\n")
    assert read_configuration(file) == Configuration()
    file.write_text("")
    assert read_configuration(file) == Configuration()


def test_everything_that_is_wrong_with_a_configuration_file_is_said_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    known = join_names(_SECTIONS)
    file.write_text("configVar: {}\nhttpHosts: api.example.com\ncolour: 1\nconfigVars: []\n")
    with pytest.raises(InputError) as caught:
        read_configuration(file)
    assert [(problem.line, problem.message) for problem in caught.value.problems] == [
        (1, f"is not known; did you mean 'configVars'? (known: {known})"),
        (2, "must be a list of names, not text"),
        (3, f"is not known (known: {known})"),
        (4, "must be an object of values by name, not a list"),
    ]
    file.write_text(
        "httpHosts: ['https://a.example.com/x', 'b.example.com:443', c.example.com, '::1']\nitemsFolder: /nope"
    )
    with pytest.raises(InputError) as caught:
        read_configuration(file)
    assert [(problem.path, problem.message.rpartition(" ")[2]) for problem in caught.value.problems] == [
        ("$.httpHosts[0]", "a.example.com"),
        ("$.httpHosts[1]", "b.example.com"),
        ("$.itemsFolder", "configuration"),
    ]
    file.write_text("- 1")
    with pytest.raises(InputError, match=r"must be an object with configVars, httpHosts, .*, not a list"):
        read_configuration(file)
    with pytest.raises(DocumentError):
        read_configuration(tmp_path / "nowhere.yaml")


def test_secrets_disappear_from_texts_keys_and_json_in_text() -> None:
    redactor = Redactor(["s3cret", 'qu"ote', "s3cret and more", "a b&c"])
    value = {"s3cret": ["x s3cret and more y", 5, None, {"json": '{"a": "qu\\"ote"}'}], "url": "?q=a+b%26c"}
    assert redactor.value(value) == {
        HIDDEN: [f"x {HIDDEN} y", 5, None, {"json": f'{{"a": "{HIDDEN}"}}'}],
        "url": f"?q={HIDDEN}",
    }
    assert Redactor([]).value(value) is value
    assert Redactor([]).text("s3cret") == "s3cret"


def test_a_hiding_logger_formats_what_it_passes_on_and_skips_what_is_not_asked_for() -> None:
    recorded = RecordingLogger()
    logger = RedactingLogger(recorded, Redactor(["s3cret"]))
    logger.info("%s and %d%%", "x s3cret y", 5)
    logger.error("s3cret 100%")
    assert recorded.messages == [f"x {HIDDEN} y and 5%", f"{HIDDEN} 100%"]
    quiet = RecordingLogger()
    quiet.logger.setLevel("ERROR")
    RedactingLogger(quiet, Redactor([])).info("left out")
    assert quiet.messages == []


def test_secrets_stay_out_of_events_results_answers_and_errors() -> None:
    text = """
name: Test
requiredConfigVars:
  - {key: Twilio Connection, connection: twilio.basic}
  - {key: API Token}
flows:
  - name: Main
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Leak
        action: collection-tools.createObject
        inputs:
          keyValueInput: {connection: Twilio Connection, token: "{{#API Token}}", url: "https://x/?t={{#API Token}}"}
      - name: Fail
        action: other.fail
        inputs: {text: "{{#API Token}}"}
        errorConfig: {errorHandlerType: ignore}
      - {name: Log, action: log.writeLog, inputs: {message: ["{{$leak.results}}", "{{#API Token}}"]}}
      - name: Last
        action: other.last
        inputs: {all: "{{$leak.results}}"}
"""
    secrets = ("auth-token-of-the-account", "token-of-the-api")
    config = {
        "Twilio Connection": {"username": "AC00000000000000000000000000000001", "password": secrets[0]},
        "API Token": secrets[1],
    }
    events: list[Any] = []

    def fail(inputs: dict[str, Any]) -> Any:
        raise PerformError(f"refused {inputs['text']}")

    logger = RecordingLogger()
    outcome = run_text(
        text,
        logger=logger,
        configuration=Configuration(config_vars=config),
        mocks={"other.fail": fail, "other.last": lambda inputs: inputs["all"]},
        listener=events.append,
        trace=True,
    )
    assert outcome.succeeded
    assert len(logger.messages) == 1
    for shown in (json.dumps(events), *logger.messages, json.dumps(outcome.as_json()), json.dumps(outcome.results)):
        assert HIDDEN in shown
        for secret in secrets:
            assert secret not in shown
