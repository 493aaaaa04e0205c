"""The JSON Schema that editors use agrees with what the check says about a file's shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.flow_runs import FIXTURES

from twilio_component.flows import read_definition
from twilio_component.flows.expressions.operators import OPERATORS
from twilio_component.flows.parsing.known_keys import (
    CONFIG_VARIABLE,
    ERROR_CONFIG,
    FLOW,
    INTEGRATION,
    RETRY_CONFIG,
    STEP,
)
from twilio_component.host.manifest.documents import read_document

FILE = Path(__file__).parents[2] / "schemas" / "flow.schema.json"
SCHEMA: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
GOOD = sorted([*FIXTURES.glob("positive/*.yaml"), *FIXTURES.glob("integrations/*.yaml")])
# Of the wrong files, those whose shape is wrong; the others are wrong in what they mean.
SHAPE = {"wrong-type", "missing-key", "unknown-key", "misspelt-key", "unknown-input-type", "invalid-condition"}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_fits_the_schema(path: Path) -> None:
    assert list(Draft202012Validator(SCHEMA).iter_errors(read_document(path).data)) == []


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("negative/*.yaml")), ids=lambda path: path.stem)
def test_a_file_of_a_wrong_shape_does_not_fit_the_schema(path: Path) -> None:
    definition = read_definition(path)
    if definition.document.data is not None and SHAPE & {finding.code for finding in definition.findings}:
        assert not Draft202012Validator(SCHEMA).is_valid(definition.document.data)


def test_the_schema_knows_the_same_keys_and_operators() -> None:
    parts = SCHEMA["$defs"]
    assert SCHEMA["properties"].keys() == set(INTEGRATION)
    assert parts["flow"]["properties"].keys() == set(FLOW)
    assert parts["step"]["properties"].keys() == set(STEP)
    assert parts["configVariable"]["properties"].keys() == set(CONFIG_VARIABLE)
    assert parts["step"]["properties"]["errorConfig"]["properties"].keys() == set(ERROR_CONFIG)
    assert parts["flow"]["properties"]["retryConfig"]["properties"].keys() == set(RETRY_CONFIG)
    assert parts["condition"]["anyOf"][1]["prefixItems"][0]["enum"] == list(OPERATORS)
