"""References and templates: how they are written, and what they mean given what has happened so far.

A reference is ``step.results.path.to.0.value``; a key that has dots or brackets is written ``["like.this"]``. In a
template ``{{$reference}}`` and ``{{#Config variable}}`` are placeholders, and all other braces are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.javascript import ABSENT, json_text
from twilio_component.flows.findings import EvaluationError
from twilio_component.flows.model import ConfigVar, Reference, Template, normalize
from twilio_component.host.errors import join_names
from twilio_component.host.inputs.messages import display, type_name
from twilio_component.host.serialization import number_text

if TYPE_CHECKING:
    from twilio_component.host.manifest.documents import PathParts

RESULTS, CURRENT_ITEM, INDEX = "results", "currentItem", "index"
PARTS = (RESULTS, CURRENT_ITEM, INDEX)
# A key in brackets may be quoted, and then hold anything but its quotation mark; exports write a dot before it.
_KEY = re.compile(r"""\.?(?:\["([^"]*)"\]|\['([^']*)'\]|\[([^\[\]"']+)\])|\.([^.\[\]]+)""")
_STEP = re.compile(r"[^.\[\]\s]+")
PLACEHOLDER = re.compile(r"\{\{([$#])([^{}]+)\}\}")
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")

Lookup = Callable[[Reference], Any]


def parse_reference(text: str, at: PathParts = ()) -> Reference:
    """The reference that ``text`` is; raises ``ValueError`` with what is wrong about it."""
    text = text.strip()
    start = _STEP.match(text)
    if start is None:
        raise ValueError("it must start with a step's name in camel case")
    keys, position = [], start.end()
    while position < len(text):
        match = _KEY.match(text, position)
        if match is None:
            raise ValueError(f"it cannot be read from character {position + 1} on")
        keys.append(next(group for group in match.groups() if group is not None))
        position = match.end()
    if not keys or keys[0] not in PARTS:
        raise ValueError(f"after the step's name comes {join_names(PARTS, word='or')}")
    return Reference(normalize(start.group()), keys[0], tuple(keys[1:]), at)


def parse_template(text: str, at: PathParts = ()) -> Template:
    """The template that ``text`` is; raises ``ValueError`` when a placeholder's reference cannot be read."""
    template, problems = read_template(text, at)
    if problems:
        raise ValueError("; ".join(problems))
    return template


def read_template(text: str, at: PathParts = ()) -> tuple[Template, list[str]]:
    """The template without the placeholders that cannot be read, and what is wrong with each of those."""
    parts: list[str | Reference | ConfigVar] = []
    problems = []
    position = 0
    for match in PLACEHOLDER.finditer(text):
        if match.start() > position:
            parts.append(text[position : match.start()])
        sign, inside = match.groups()
        try:
            parts.append(parse_reference(inside, at) if sign == "$" else ConfigVar(normalize(inside.strip()), at))
        except ValueError as error:
            problems.append(f"'{match.group()[:80]}' is not a reference: {error}")
        position = match.end()
    if position < len(text):
        parts.append(text[position:])
    return Template(tuple(parts), at), problems


def has_placeholder(text: str) -> bool:
    """Whether there is anything in ``text`` for a template to replace."""
    return PLACEHOLDER.search(text) is not None


def follow(reference: Reference, root: Any) -> Any:
    """The value at the reference's path below ``root``; raises ``EvaluationError`` where the path ends too early."""
    value = root
    for count, key in enumerate(reference.path):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, Mapping) and (other := _other_spelling(reference, count, value)) is not None:
            value = value[other]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            raise _missing(reference, count, value)
    return value


def _other_spelling(reference: Reference, count: int, value: Mapping[str, Any]) -> str | None:
    """The key that is meant by that of the reference but is written otherwise; None when there is none."""
    key = reference.path[count]
    if count > 0 and reference.path[count - 1] == "headers":
        # Servers differ in how they write the names of headers; HTTP makes no difference between them.
        return next((name for name in value if name.casefold() == key.casefold()), None)
    if key.isascii():
        return None
    # An accent may be a character of its own, as macOS writes it in exports; nobody sees a difference.
    return next((name for name in value if isinstance(name, str) and normalize(name) == normalize(key)), None)


def _missing(reference: Reference, count: int, value: Any) -> EvaluationError:
    return EvaluationError(
        f"{reference} has no value: {reference.as_far_as(count)} is {_describe(value)} "
        f"and has no '{reference.path[count]}'"
    )


def _describe(value: Any) -> str:
    if isinstance(value, Mapping) and value:
        # Keys may be data too (numbers by name, say); only those that look like names are shown.
        names = [str(key) for key in value if display(str(key)).startswith("'")]
        return f"an object with {join_names(names, limit=10)}" if names else "an object with other keys"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return f"empty {type_name(value).removeprefix('an ')}" if value in ("", {}) else type_name(value)


def render(template: Template, lookup: Lookup, config: Callable[[ConfigVar], Any]) -> str:
    """The template's text. Numbers and booleans appear as in JSON, null as nothing, lists and objects as JSON."""
    return "".join(_render_part(part, lookup, config) for part in template.parts)


def _render_part(part: str | Reference | ConfigVar, lookup: Lookup, config: Callable[[ConfigVar], Any]) -> str:
    if isinstance(part, str):
        return part
    return as_text(lookup(part) if isinstance(part, Reference) else config(part))


def as_text(value: Any) -> str:
    """A value as it appears inside text: ``5.0`` as ``5``, null as nothing, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_text(value)
    return json_text(value)
