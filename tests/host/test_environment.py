"""Variables whose values stand in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from twilio_component.flows.parsing.reader import load_integration
from twilio_component.flows.runner.configuration import Configuration, config_values
from twilio_component.host import Host
from twilio_component.host.connections import connection_from_environment
from twilio_component.host.environment import FileEnvironment
from twilio_component.host.errors import InputError

FLOW = """\
name: F
requiredConfigVars:
  - {key: Sender, dataType: string}
  - {key: Twilio, dataType: connection, connection: {component: twilio, key: basic}}
flows:
  - {name: G, steps: [{name: T, isTrigger: true, action: webhook-triggers.webhook}]}
"""


def secret(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_variable_is_its_own_value_or_the_content_of_its_file(tmp_path: Path) -> None:
    environment = FileEnvironment({"A": "a", "B_FILE": secret(tmp_path, "b", " b b \r\n")})
    assert (environment["A"], environment["B"], environment.get("C")) == ("a", " b b ", None)
    assert "B" in environment
    assert sorted(environment) == ["A", "B_FILE"]
    assert dict(environment.without({"B"})) == {"A": "a"}


def test_a_file_is_read_again_when_the_secret_is_rotated(tmp_path: Path) -> None:
    environment = FileEnvironment({"A_FILE": secret(tmp_path, "a", "old")})
    assert environment["A"] == "old"
    secret(tmp_path, "a", "new")
    assert environment["A"] == "new"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"A_FILE": "nowhere"}, "A_FILE: must name a text file that can be read"),
        ({"A_FILE": "."}, "A_FILE: must name a text file that can be read"),
        ({"A": "a", "A_FILE": "nowhere"}, "A: is set, and so is A_FILE: keep one of them"),
    ],
)
def test_what_cannot_be_read_or_is_there_twice_is_named(variables: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        FileEnvironment(variables).get("A")


def test_connections_and_config_variables_come_from_files_too(tmp_path: Path) -> None:
    environment = FileEnvironment(
        {
            "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
            "TWILIO_AUTH_TOKEN_FILE": secret(tmp_path, "token", "t" * 32 + "\n"),
            "FLOW_SENDER_FILE": secret(tmp_path, "sender", "+15017122661\n"),
        }
    )
    components = Host.discover().components
    fields = connection_from_environment(components["twilio"], environment)["fields"]
    assert fields["password"] == "t" * 32
    values = config_values(load_integration("f.yaml", text=FLOW), Configuration(), components, environment)
    assert values.by_name["Sender"] == "+15017122661"
    assert values.by_name["Twilio"]["fields"]["password"] == "t" * 32
    assert "t" * 32 in values.secrets
