"""The built-in components have what Prismatic documents, or the reference says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twilio_component.builtins.plugin import register_component

FILE = Path(__file__).parents[2] / "docs" / "documented-built-ins.json"
DOCUMENTED: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text(encoding="utf-8"))
COMPONENTS = {file.key: file.component for file in register_component()}


def test_every_documented_action_is_here_with_its_inputs_or_has_a_reason() -> None:
    lacking = []
    for key, operations in DOCUMENTED.items():
        component = COMPONENTS.get(key)
        known = {**component.actions, **component.triggers} if component else {}
        for one in operations:
            assert ("key" in one) is not ("missing" in one)
            if "key" in one and len(known[one["key"]].inputs["properties"]) < len(one["inputs"]):
                lacking.append((key, one["label"]))
    assert lacking == []


def test_every_built_in_component_is_compared() -> None:
    assert COMPONENTS.keys() - DOCUMENTED.keys() == {"management-triggers"}  # no page of its own
