"""Inputs as a file writes them, in the exported form (``{type, value}``) or one of the short ones.

Written by hand: text is a value, or a template when it has placeholders, or a reference or a config variable when it
is one placeholder and nothing else; the name of a connection that the file declares is that connection; numbers,
booleans and null are values, a list is a complex value, and an object is an object. What has ``type`` and ``value`` is
always the exported form, so that an exported file keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.operators import BINARY, OPERATORS, UNARY
from twilio_component.flows.expressions.references import (
    has_placeholder,
    parse_reference,
    read_template,
)
from twilio_component.flows.model import (
    BooleanExpression,
    Comparison,
    Complex,
    Condition,
    ConfigVar,
    Fields,
    Input,
    Item,
    Template,
    Unreadable,
    Value,
    normalize,
)
from twilio_component.flows.parsing.field_reader import FieldReader
from twilio_component.host.errors import did_you_mean, join_names
from twilio_component.host.inputs.messages import type_name

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.host.manifest.documents import PathParts

TYPES = ("value", "reference", "configVar", "template", "complex")
TYPED_KEYS = ("type", "value", "name", "meta")
_JUNCTIONS = ("and", "or")


def is_typed(raw: Mapping[str, Any]) -> bool:
    """Whether an object is the exported form of an input, perhaps with a misspelt type, and not an object by hand."""
    if "type" not in raw or "value" not in raw:
        return False
    return raw["type"] in TYPES or raw.keys() <= set(TYPED_KEYS)


class InputReader:
    """Reads inputs; what is wrong goes to ``findings``.

    ``connections`` are the names of declared connections.
    """

    def __init__(self, findings: Findings, connections: Collection[str]) -> None:
        self.findings = findings
        self.fields = FieldReader(findings)
        self.connections = connections

    def read(self, raw: Any, at: PathParts) -> Input:
        """One input, in whatever form it is written."""
        if isinstance(raw, str):
            return self._text(raw, at)
        if isinstance(raw, list):
            return self._list(raw, at)
        if not isinstance(raw, Mapping):
            return Value(raw, at)
        if is_typed(raw):
            return self._typed_input(raw, at)
        fields = []
        for name, value in raw.items():
            fields.append((name, self.read(value, (*at, name))))
        return Fields(tuple(fields), at)

    def _typed_input(self, raw: Mapping[str, Any], at: PathParts) -> Input:
        kind, value, place = raw["type"], raw["value"], (*at, "value")
        self.fields.keys(raw, at, TYPED_KEYS, ())
        if kind == "value":
            return Value(value, place)
        if kind == "complex":
            return self._complex(value, place)
        if kind in TYPES and isinstance(value, str):
            readers: dict[str, Callable[[str, PathParts], Input]] = {
                "configVar": lambda name, place: ConfigVar(normalize(name), place),
                "template": self._template,
                "reference": self._reference,
            }
            return readers[kind](value, place)
        if kind in TYPES:
            self.findings.add("wrong-type", place, f"the value of a {kind} must be text, not {type_name(value)}")
        else:
            self.findings.add(
                "unknown-input-type",
                (*at, "type"),
                f"'{str(kind)[:40]}' is not an input type{did_you_mean(str(kind), TYPES)}",
                f"Types are {join_names(TYPES)}. An object with keys of these names is written as a complex value.",
            )
        return Unreadable(place)

    def _text(self, raw: str, at: PathParts) -> Input:
        if normalize(raw) in self.connections:
            return ConfigVar(normalize(raw), at)
        if not has_placeholder(raw):
            return Value(raw, at)
        template = self._template(raw, at)
        if isinstance(template, Template) and len(template.parts) == 1 and not isinstance(template.parts[0], str):
            return template.parts[0]
        return template

    def _list(self, raw: list[Any], at: PathParts) -> Input:
        items = []
        for index, value in enumerate(raw):
            items.append(Item(None, self.read(value, (*at, index))))
        return Complex(tuple(items), at)

    def _complex(self, raw: Any, at: PathParts) -> Input:
        if not isinstance(raw, list):
            self.findings.add("wrong-type", at, f"a complex value must be a list of items, not {type_name(raw)}")
            return Unreadable(at)
        items = []
        for index, value in enumerate(raw):
            place = (*at, index)
            name = value.get("name") if isinstance(value, Mapping) and is_typed(value) else None
            # The terms of exported conditions carry an empty name.
            named = None if name is None or name == "" else self.read(name, (*place, "name"))
            items.append(Item(named, self._member(value, place)))
        return Complex(tuple(items), at)

    def _member(self, raw: Any, at: PathParts) -> Input:
        if isinstance(raw, Mapping) and raw.keys() == {"name", "value"}:
            message = f"this member has no type (types are {join_names(TYPES)})"
            self.findings.add("unknown-input-type", at, message, "Add type: value, or what else it is.")
            return Unreadable(at)
        return self.read(raw, at)

    def _reference(self, text: str, at: PathParts) -> Input:
        if not text.strip():
            return Value("", at)  # an input that was left empty
        try:
            return parse_reference(text, at)
        except ValueError as error:
            self.findings.add(
                "invalid-reference",
                at,
                f"'{text.strip()[:80]}' is not a reference: {error}",
                'References look like trigger.results.body.data.name or loopOverItems.currentItem["odd.key"].0',
            )
            return Unreadable(at)

    def _template(self, text: str, at: PathParts) -> Input:
        template, problems = read_template(text, at)
        for problem in problems:
            self.findings.add(
                "invalid-reference",
                at,
                problem,
                "Placeholders look like {{$trigger.results.body.data.name}} or {{#Config Variable}}",
            )
        # The references that can be read are checked too; without one, the text would be taken for the whole value.
        if problems and all(isinstance(part, str) for part in template.parts):
            return Unreadable(at)
        return template

    def conditions(self, raw: Any, at: PathParts) -> tuple[tuple[str, Condition], ...]:
        """The conditions of a branch step, by the branch they lead to."""
        if isinstance(raw, Mapping) and raw.get("type") == "complex" and isinstance(raw.get("value"), list):
            named = [self._named_condition(item, (*at, "value", i)) for i, item in enumerate(raw["value"])]
        elif isinstance(raw, Mapping) and "type" not in raw:
            named = [(normalize(name), self.condition(value, (*at, name))) for name, value in raw.items()]
        else:
            self._bad_condition(at, "conditions must be conditions by branch")
            return ()
        return tuple((name, condition) for name, condition in named if condition is not None)

    def _named_condition(self, item: Any, at: PathParts) -> tuple[str, Condition | None]:
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str) or "value" not in item:
            self._bad_condition(at, "must have the name of a branch and, as value, a condition")
            return "", None
        return normalize(item["name"]), self.condition(item["value"], (*at, "value"))

    def condition(self, raw: Any, at: PathParts) -> Condition | None:
        """``[operator, term, term?]`` or ``[and | or, condition…]``; None when it is neither."""
        if not isinstance(raw, list) or not raw or not isinstance(raw[0], str):
            self._bad_condition(at, "must be a list that starts with an operator, and or or")
            return None
        word, rest = raw[0], raw[1:]
        if word in _JUNCTIONS:
            return self._boolean_expression(word, rest, at)
        if word not in OPERATORS:
            known = (*OPERATORS, *_JUNCTIONS)
            self._bad_condition((*at, 0), f"'{word[:40]}' is not an operator{did_you_mean(word, known)}")
            return None
        terms = []
        for index, term in enumerate(rest, start=1):
            terms.append(self.read(term, (*at, index)))
        wanted = 1 if word in UNARY else 2
        if wanted == 1 and len(terms) > 1 and all(isinstance(term, Value) and not term.value for term in terms[1:]):
            terms = terms[:1]
        if len(terms) != wanted:
            self._bad_condition(at, f"{word} takes {wanted} term{'s' if word in BINARY else ''}, not {len(terms)}")
            return None
        return Comparison(word, tuple(terms), at)

    def _boolean_expression(self, word: str, rest: list[Any], at: PathParts) -> Condition | None:
        conditions = []
        for index, part in enumerate(rest, start=1):
            conditions.append(self.condition(part, (*at, index)))
        if not conditions:
            self._bad_condition(at, f"'{word}' needs at least one condition")
        good = [condition for condition in conditions if condition is not None]
        return BooleanExpression(word, tuple(good), at) if good else None

    def _bad_condition(self, at: PathParts, message: str) -> None:
        self.findings.add(
            "invalid-condition",
            at,
            f"the condition {message}" if message.startswith("must") else message,
            "Conditions look like [and, [equal, left, right], [exists, term]]. "
            f"Operators: {join_names(OPERATORS, limit=30)}.",
        )
