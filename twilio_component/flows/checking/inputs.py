"""A step's inputs, held against the schema of its action.

What is written in the file is validated as it would be when the flow runs; what a reference or a config variable will
bring is taken for good.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.expressions.evaluation import fixed_value, is_fixed
from twilio_component.flows.model import Complex, Fields, Value
from twilio_component.flows.parsing.fitting import fit_inputs, is_left_empty
from twilio_component.host.errors import InputError, did_you_mean, join_names, json_path
from twilio_component.host.inputs.form import InputForm
from twilio_component.host.inputs.messages import display, hint_for_input

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Input, Step
    from twilio_component.host.manifest.documents import PathParts
    from twilio_component.host.model import Component, Operation

# What stands for a value that only running the flow will bring.
_LATER = "later"
_PART = re.compile(r"""\[(\d+)\]|\.([A-Za-z_][A-Za-z0-9_-]*)|\["((?:[^"\\]|\\.)*)"\]""")


class InputChecker:
    """Checks the inputs of one step of one operation."""

    def __init__(
        self, findings: Findings, component: Component, operation: Operation, connections: Sequence[str] = ()
    ) -> None:
        self.findings = findings
        self.component = component
        self.operation = operation
        self.connections = connections
        self.properties: Mapping[str, Any] = operation.inputs["properties"]

    def check(self, step: Step) -> None:
        """Report unknown, missing and ill-typed inputs."""
        name = f"{self.component.key}.{self.operation.key}"
        given: dict[str, Any] = {}
        later: set[str] = set()
        for key, value in step.inputs.items():
            if key not in self.properties:
                self._unknown(name, key, value, (*step.at, "inputs", key))
            elif is_fixed(value):
                given[key] = fixed_value(value)
            else:
                given[key] = _LATER
                later.add(key)
        if step.source is not None:
            given["items"], later = _LATER, later | {"items"}
        if step.conditions is not None or step.operation == control_steps.BRANCH_ON_EXPRESSION:
            given.pop("conditions", None)
        self._validate(step, given, later)

    def _unknown(self, name: str, key: str, value: Input, at: PathParts) -> None:
        hint = hint_for_input(key, self.operation.inputs)
        known = f"Its inputs are {join_names(self.properties, limit=40)}."
        if not hint and is_fixed(value) and is_left_empty(fixed_value(value)):
            message = f"{name} has no input '{key}'; it is empty and ignored"
            self.findings.add("unused-input", at, message, known, key=True)
        else:
            self.findings.add("unknown-input", at, f"{name} has no input '{key}'{hint}", known, key=True)

    def _validate(self, step: Step, given: dict[str, Any], later: set[str]) -> None:
        schema = {
            **self.operation.inputs,
            "properties": {key: {} if key in later else part for key, part in self.properties.items()},
        }
        try:
            InputForm(schema, self.component.connections).validate(fit_inputs(given, self.operation))
        except InputError as error:
            for problem in error.problems:
                self._report(step, problem.path, problem.message)

    def _report(self, step: Step, path: str, message: str) -> None:
        inputs = (*step.at, "inputs")
        key = next((key for key in self.properties if _is_within(path, json_path(("inputs", key)))), None)
        name = f"{self.component.key}.{self.operation.key}"
        if key is None:
            # It is about the inputs together: a sender is missing, say.
            self.findings.add("missing-input", inputs, f"{name} {message}", self._about(None), key=True)
        elif message.startswith("is required") and path.endswith(key):
            text = f"{name} needs the input '{key}', which {message}"
            self.findings.add("missing-input", inputs, text, self._about(key), key=True)
        else:
            rest = _parts(path.removeprefix(json_path(("inputs", key))))
            at = place_within(step.inputs[key], rest) if key in step.inputs else (*inputs, key)
            given = step.inputs.get(key)
            meant = given.value if isinstance(given, Value) else None
            if self.properties[key].get("format") == "connection" and isinstance(meant, str):
                hint = did_you_mean(meant, self.connections) or f" (declared: {join_names(self.connections)})"
                message = f"{display(meant)} is not a connection that requiredConfigVars declares{hint}"
            self.findings.add("invalid-input", at, f"{key}: {message}", self._about(key))

    def _about(self, key: str | None) -> str:
        if key is None:
            return f"Its inputs are {join_names(self.properties, limit=40)}."
        part = self.properties[key]
        if part.get("format") == "connection":
            return f"Give the name of a connection of {self.component.key} that requiredConfigVars declares."
        examples = part.get("examples")
        return f"{part.get('description', key)}" + (f" For example: {examples[0]}" if examples else "")


def place_within(value: Input, rest: Sequence[str]) -> PathParts:
    """The path in the document of what stands at the path ``rest`` within an input's value; as far as it is known."""
    for number, part in enumerate(rest):
        inner: Input | None = None
        if isinstance(value, Fields):
            inner = next((field for name, field in value.fields if name == part), None)
            if inner is None and part.isdigit() and int(part) < len(value.fields):
                # Where a list of pairs is wanted, an object becomes one: its members by number.
                skipped = 2 if rest[number + 1 : number + 2] in (["key"], ["value"]) else 1
                return place_within(value.fields[int(part)][1], rest[number + skipped :])
        elif isinstance(value, Complex) and part.isdigit() and int(part) < len(value.items):
            item = value.items[int(part)]
            inner = item.value
            if item.name is not None and rest[number + 1 : number + 2] in (["key"], ["value"]):
                return place_within(item.name if rest[number + 1] == "key" else inner, rest[number + 2 :])
        if inner is None:
            literal = value.value if isinstance(value, Value) else None
            return (*value.at, *_literal_path(literal, rest[number:]))
        value = inner
    return value.at


def _literal_path(value: Any, rest: Sequence[str]) -> PathParts:
    parts: list[str | int] = []
    for part in rest:
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            parts.append(int(part))
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            parts.append(part)
            value = value[part]
        else:
            break
    return tuple(parts)


def _parts(path: str) -> list[str]:
    """The keys and indices in the rest of a JSON path, such as ``[1].value``."""
    return [index or key or quoted for index, key, quoted in _PART.findall(path)]


def _is_within(path: str, start: str) -> bool:
    # "$.inputs.to" is not within "$.inputs.t"; what follows an input's path is a key or an index.
    return path == start or (path.startswith(start) and path[len(start)] in ".[")
