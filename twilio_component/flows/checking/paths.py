"""The paths of references, held against the schemas of what steps return.

A schema that lists the keys of an object and allows no other makes a path impossible. One that allows others, as a
message's does because Twilio may add fields, only makes a key suspicious that is nearly one of those it lists.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.references import RESULTS
from twilio_component.flows.model import Reference, all_steps, step_inputs
from twilio_component.host.errors import did_you_mean, join_names

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Flow, Step
    from twilio_component.host.model import Component, JsonSchema

_COMBINED = ("$ref", "allOf", "anyOf", "oneOf", "patternProperties")
_SCALARS = {"string", "number", "integer", "boolean", "null"}


def check_paths(
    findings: Findings, flow: Flow, components: Mapping[str, Component], mocked: Collection[str] = ()
) -> None:
    """Report paths of references that the results of their steps do not have. A mocked step may return anything."""
    steps = {step.key: step for step in all_steps(flow.steps)}
    for step in steps.values():
        for part in step_inputs(step):
            if not isinstance(part, Reference) or part.part != RESULTS or part.step not in steps:
                continue
            source = steps[part.step]
            if source.operation not in mocked:
                _check_path(findings, part, _results(source, components))


def _results(step: Step, components: Mapping[str, Component]) -> JsonSchema:
    component = components.get(step.component)
    if component is None:
        return {}
    operation = (component.triggers if step.is_trigger else component.actions).get(step.action)
    return operation.output_schema if operation is not None else {}


def _check_path(findings: Findings, reference: Reference, schema: Any) -> None:
    for count, key in enumerate(reference.path):
        if not isinstance(schema, Mapping) or any(word in schema for word in _COMBINED):
            return
        kinds = _kinds(schema)
        properties = schema.get("properties", {})
        if key in properties:
            schema = properties[key]
        elif kinds and kinds <= _SCALARS:
            _report(findings, reference, count, "has no parts")
            return
        elif kinds == {"array"}:
            if not key.isdigit():
                _report(findings, reference, count, f"is a list, whose members have numbers, not '{key}'")
                return
            schema = schema.get("items")
        elif isinstance(schema.get("additionalProperties"), Mapping):
            schema = schema["additionalProperties"]
        else:
            hint = did_you_mean(key, properties)
            if hint or (schema.get("additionalProperties") is False and kinds <= {"object", "null"}):
                _report(findings, reference, count, f"has no '{key}'{hint}", properties)
            return


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    kinds = schema.get("type", [])
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _report(findings: Findings, reference: Reference, count: int, message: str, keys: Collection[str] = ()) -> None:
    hint = f"It has {join_names(keys, limit=30)}." if keys else ""
    findings.add("unknown-path", reference.at, f"{reference.as_far_as(count)} {message}", hint)
