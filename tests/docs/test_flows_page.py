from __future__ import annotations

import re
from pathlib import Path

from support.flow_runs import FIXTURES

from twilio_component.builtins.plugin import register_component
from twilio_component.flows.expressions.operators import OPERATORS
from twilio_component.flows.findings import CODES

PAGE = (FIXTURES.parents[1] / "docs" / "reference" / "flow-language.md").read_text(encoding="utf-8")


def test_the_page_lists_every_code_with_its_severity_and_meaning() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert listed == [(code, severity, meaning) for code, (severity, meaning) in CODES.items()]


def test_the_page_names_every_operator() -> None:
    assert [name for name in OPERATORS if f"`{name}`" not in PAGE] == []


def test_the_page_names_every_built_in_component_action_and_trigger() -> None:
    scopes = re.compile("Execution|Instance|CrossFlow")
    for component in register_component():
        assert f"`{component.key}`" in PAGE
        for key in (*component.actions, *component.triggers):
            name = scopes.sub("…", key) if component.key == "persist-data" else key
            assert f"`{name}`" in PAGE or f"`{component.key}.{key}`" in PAGE, key


def test_the_page_names_every_option_of_the_command_line() -> None:
    source = (Path(__file__).parents[2] / "twilio_component" / "cli" / "commands" / "flow.py").read_text(
        encoding="utf-8"
    )
    for option in re.findall(r'add_argument\("(--[a-z-]+)"', source):
        assert f"`{option}" in PAGE, option
    for command in ("check", "run", "new"):
        assert f"`twilio-component flow {command}" in PAGE
