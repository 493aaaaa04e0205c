"""Connections from the environment and from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from twilio_component.host import Component, Connection, Display, load_component
from twilio_component.host.connections import connection_from_environment, connection_from_file
from twilio_component.host.errors import DocumentError, InputError
from twilio_component.twilio.plugin import manifest_file

TWILIO = load_component(manifest_file())
ACCOUNT = "AC" + "a" * 32
KEY = "SK" + "b" * 32


def test_an_api_key_in_the_environment_is_preferred_to_an_auth_token() -> None:
    environment = {
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_API_KEY": KEY,
        "TWILIO_API_SECRET": "secret",
        "TWILIO_AUTH_TOKEN": "token",
        "TWILIO_REGION": "ie1",
        "TWILIO_EDGE": "",
    }
    assert connection_from_environment(TWILIO, environment) == {
        "key": "apiKeySecret",
        "fields": {
            "accountSid": ACCOUNT,
            "apiKey": KEY,
            "apiSecret": "secret",
            "authToken": "token",
            "region": "ie1",
        },
    }


def test_an_auth_token_alone_makes_a_basic_connection() -> None:
    environment = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": "token", "TWILIO_API_KEY": KEY}
    assert connection_from_environment(TWILIO, environment) == {
        "key": "basic",
        "fields": {"username": ACCOUNT, "password": "token"},
    }


def test_a_whole_connection_in_one_variable_wins() -> None:
    whole = {"key": "basic", "fields": {"username": ACCOUNT, "password": "x"}}
    environment = {
        "PRISMATIC_CONNECTION_VALUE": json.dumps(whole),
        "TWILIO_ACCOUNT_SID": "AC",
        "TWILIO_AUTH_TOKEN": "t",
    }
    assert connection_from_environment(TWILIO, environment) == whole


def test_what_is_missing_in_the_environment_is_reported_for_each_kind() -> None:
    with pytest.raises(InputError) as caught:
        connection_from_environment(TWILIO, {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_API_KEY": ""})
    assert str(caught.value) == (
        "The environment has no complete twilio connection\n"
        "  for a connection of type apiKeySecret: TWILIO_API_KEY and TWILIO_API_SECRET not set\n"
        "  for a connection of type basic: TWILIO_AUTH_TOKEN not set"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{secret", "PRISMATIC_CONNECTION_VALUE is not JSON (character 1)"),
        ("[" * 100_000, "PRISMATIC_CONNECTION_VALUE is not JSON"),
        ('["secret"]', 'PRISMATIC_CONNECTION_VALUE must be a connection as JSON: {"key": …, "fields": {…}}'),
    ],
)
def test_a_variable_that_holds_no_connection_is_refused_without_repeating_it(value: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        connection_from_environment(TWILIO, {"PRISMATIC_CONNECTION_VALUE": value})
    assert text in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_kind_without_variables_is_reported_by_its_fields() -> None:
    properties: dict[str, Any] = {"token": {"type": "string"}, "host": {"type": "string"}}
    kinds = {
        "token": Connection(
            key="token", display=Display(label="T"), inputs={"properties": properties, "required": ["token"]}
        )
    }
    component = Component(key="other", display=Display(label="Other"), connections=kinds)
    with pytest.raises(InputError, match="other connection\n  for a connection of type token: token not set"):
        connection_from_environment(component, {})
    kinds["token"] = Connection(key="token", display=Display(label="T"), inputs={"properties": properties})
    assert connection_from_environment(component, {}) == {"key": "token", "fields": {}}


@pytest.mark.parametrize(
    ("text", "connection"),
    [
        ("key: basic\nfields: {username: AC1}\n", {"key": "basic", "fields": {"username": "AC1"}}),
        ("username: AC1\npassword: 0123\n", {"fields": {"username": "AC1", "password": "0123"}}),
        ('{"fields": {"username": "AC1"}}', {"fields": {"username": "AC1"}}),
    ],
)
def test_a_file_holds_a_connection_or_its_fields_alone(tmp_path: Path, text: str, connection: Any) -> None:
    path = tmp_path / "twilio.yaml"
    path.write_text(text)
    assert connection_from_file(path) == connection
    assert connection_from_file(str(path)) == connection


def test_a_file_that_holds_something_else_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "twilio.yaml"
    path.write_text("# mine\n- secret\n")
    with pytest.raises(InputError, match=r'twilio\.yaml:2:1: \$: must be a connection: {"key": …, "fields": {…}}'):
        connection_from_file(path)
    with pytest.raises(DocumentError, match="No such file"):
        connection_from_file(tmp_path / "nothing.yaml")
