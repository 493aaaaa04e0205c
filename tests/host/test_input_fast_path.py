"""The shortcut around the validator never calls something valid that the validator would not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from twilio_component.host.inputs.fast_path import certainly_valid
from twilio_component.host.inputs.form import InputForm
from twilio_component.host.manifest.loader import load_component
from twilio_component.twilio.plugin import manifest_file

COMPONENT = load_component(manifest_file())
FORMS = {key: InputForm(action.inputs, COMPONENT.connections) for key, action in COMPONENT.actions.items()}
TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        ["GET", "enable", "json", "free", "US", "2026-01-01", "https://a.example", "x" * 1601, "MG" + "0" * 32]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 40_000), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=12), st.dictionaries(st.sampled_from(["key", "value", "1"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(st.data())
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_it_calls_valid_is_valid_for_every_action(data: st.DataObject) -> None:
    form = FORMS[data.draw(st.sampled_from([*FORMS]))]
    values = data.draw(st.dictionaries(st.sampled_from([*form.properties, "unknown"]), VALUES, max_size=6))

    if form.certainly_valid(values):
        assert form.validator.is_valid(values)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1.5),
        ({"type": "integer"}, True),
        ({"type": "number", "minimum": 1}, True),
        ({"enum": ["a"]}, "b"),
        ({"pattern": "^a$"}, "b"),
        ({"maxLength": 1}, "ab"),
        ({"minItems": 1}, []),
        ({"items": {"type": "string"}}, [1]),
        ({"additionalProperties": {"type": "string"}}, {"a": 1}),
        ({"properties": {}, "additionalProperties": False}, {"a": 1}),
        ({"required": ["a"]}, {}),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}),
        ({"allOf": [{"required": ["a"]}]}, {}),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}),
        ({"not": {"required": ["a"]}}, {"a": 1}),
        ({"not": {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}}, {"b": 1}),
        (False, 1),
    ],
)
def test_what_is_not_valid_is_left_to_the_validator(schema: Any, value: Any) -> None:
    assert not Draft202012Validator(schema).is_valid(value)
    assert not certainly_valid(schema)(value)


@pytest.mark.parametrize(
    "schema", [{"const": 1}, {"not": {"type": "string"}}, {"properties": {"a": {"oneOf": [True]}}}]
)
def test_a_keyword_that_it_does_not_know_is_left_to_the_validator(schema: Any) -> None:
    assert not certainly_valid(schema)({"a": 1})


@pytest.mark.parametrize(
    ("action", "inputs"),
    [
        ("sendSMS", {"to": "+15558675310", "from": "MyBrand", "message": "Hi", "mediaUrl": "https://a.example/b"}),
        ("getSMS", {"sid": "SM" + "0" * 32}),
        ("listMessages", {"limit": "20", "dateSentAfter": "2026-01-01"}),
        ("rawRequest", {"method": "GET", "url": "/x", "queryParams": {"a": "b"}, "maxRetries": 1}),
    ],
)
def test_ordinary_inputs_never_wake_the_validator(action: str, inputs: dict[str, Any]) -> None:
    form = InputForm(COMPONENT.actions[action].inputs, COMPONENT.connections)
    fields = {"username": "AC" + "0" * 32, "password": "x"}

    form.validate({**inputs, "twilioConnection": {"key": "basic", "fields": fields}})

    assert "validator" not in vars(form)
