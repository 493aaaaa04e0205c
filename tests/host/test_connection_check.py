"""A connection of any component is checked: its fields by the manifest, then by the function that its type names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from twilio_component.host import (
    Component,
    Connection,
    ConnectionFinding,
    Display,
    Host,
    InputError,
    PluginError,
    UnknownKeyError,
    check_connection,
    check_manifest,
    hookimpl,
    load_component,
)

DISPLAY = Display(label="Weather")
FIELDS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key"],
    "properties": {"key": {"type": "string", "minLength": 3, "writeOnly": True}},
}
ASKED: list[Mapping[str, Any]] = []


async def ask(_host: Host, connection: Mapping[str, Any]) -> list[ConnectionFinding]:
    """Record what was asked, as a service would be asked."""
    ASKED.append(connection)
    return [ConnectionFinding("error", "the key has expired", retryable=False)]


class Plugin:
    def __init__(self, *connections: Connection) -> None:
        self.component = Component(
            key="weather", display=DISPLAY, connections={connection.key: connection for connection in connections}
        )

    @hookimpl
    def register_component(self) -> Component:
        return self.component


async def check(connection: Any, *kinds: Connection, component: str = "weather") -> list[ConnectionFinding]:
    async with Host([Plugin(*kinds)]) as host:
        return await check_connection(host, component, connection)


WITHOUT = Connection(key="apiKey", display=DISPLAY, inputs=FIELDS)
ASKING = Connection(key="apiKey", display=DISPLAY, inputs=FIELDS, check=ask)


async def test_the_function_gets_the_accepted_connection_and_its_findings_are_returned() -> None:
    ASKED.clear()
    (finding,) = await check({"fields": {"key": "secret"}}, ASKING)
    assert str(finding) == "error: the key has expired"
    assert ASKED == [{"key": "apiKey", "fields": {"key": "secret"}}]


async def test_fields_that_are_not_valid_are_named_and_nothing_is_asked() -> None:
    ASKED.clear()
    (finding,) = await check({"key": "apiKey", "fields": {"key": "s"}}, ASKING)
    assert (finding.level, "$.connection.fields.key" in finding.text) == ("error", True)
    assert ASKED == []


async def test_without_a_function_a_warning_says_that_nothing_was_asked() -> None:
    findings = await check({"fields": {"key": "secret"}}, WITHOUT)
    assert [finding.level for finding in findings] == ["fine", "warning"]
    assert "nothing was sent" in findings[1].text


async def test_what_cannot_be_checked_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(InputError, match="weather needs no connection"):
        await check({}, *())
    with pytest.raises(UnknownKeyError, match="did you mean 'weather'"):
        await check({}, ASKING, component="wether")
    broken = Connection(key="apiKey", display=DISPLAY, inputs=FIELDS, check="nowhere.at_all:check")
    with pytest.raises(PluginError, match=r"nowhere\.at_all:check"):
        await check({"fields": {"key": "secret"}}, broken)


MANIFEST = """\
key: weather
display: {label: Weather, description: Forecasts, category: Data}
connections:
  apiKey:
    display: {label: Key, description: A key}
    check: CHECK
    inputs: {type: object, additionalProperties: false, properties: {}}
"""


def test_a_manifest_names_the_function(tmp_path: Path) -> None:
    file = tmp_path / "component.yaml"
    file.write_text(MANIFEST.replace("CHECK", f"{__name__}:ask"), encoding="utf-8")
    assert check_manifest(file) == []
    assert load_component(file).connections["apiKey"].check_function is ask


def test_a_function_that_does_not_exist_is_found_in_its_line(tmp_path: Path) -> None:
    file = tmp_path / "component.yaml"
    file.write_text(MANIFEST.replace("CHECK", f"{__name__}:asks"), encoding="utf-8")
    (problem,) = check_manifest(file)
    assert (problem.line, "asks" in problem.message) == (6, True)
