"""Texts that look as if a placeholder was meant, and would be sent as they stand."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.expressions.references import (
    CURRENT_ITEM,
    INDEX,
    PARTS,
    PLACEHOLDER,
    RESULTS,
    has_placeholder,
    parse_reference,
)
from twilio_component.flows.model import Template, Value, all_steps, camel_case, inner_inputs, normalize, step_inputs
from twilio_component.flows.parsing.inputs import is_typed

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Flow, Input, Integration, Step

_EMPTY = r"\{\{\s*(?:[$#]\s*)?\}\}"
# A placeholder whose braces are not two and two, that begins with a space, or that is not closed.
_WRONG_BRACES = r"\{\{\s+[$#](?:[^{}]*\}\}|[^{}\s]*)|\{\{[$#][^{}]*\}?(?!\})(?=$|[^}])|(?<!\{)\{[$#][^{}]*\}\}"
# A reference that has no $, or no braces. What Liquid and Handlebars call index is theirs.
_NO_SIGN = rf"\{{\s*[^\W\d]\w*\.(?:{RESULTS}|{CURRENT_ITEM})\b[^{{}}]*\}}{{0,2}}"
_NO_BRACES = rf"\$[^\W\d]\w*\.(?:{'|'.join(PARTS)})\b[^\s{{}}]*"
# A name, or a path from one. With a filter or a tag it is another template language's.
_WORDS = r"""(?P<words>\{\{\s*[^\W\d][\w .\[\]"'-]*\}\})"""
_SLIP = re.compile(rf"{_EMPTY}|{_WRONG_BRACES}|\{{?{_NO_SIGN}|\{{?{_NO_BRACES}\}}?|{_WORDS}")
_BARE = re.compile(rf"\s*[^\W\d]\w*\.(?:{'|'.join(PARTS)})(?:[.\[]\S*)?\s*")
_TAG = "{%"
_OWN_WORDS = (CURRENT_ITEM, RESULTS)
_FORMS = "{{$step.results.path}}, {{$loop.currentItem.path}} or {{#Config Variable}}"


@dataclass(frozen=True, slots=True)
class Names:
    """What a placeholder may name where a text stands; ``loops`` are the keys of those around it, the inmost last."""

    variables: Collection[str] = ()
    steps: Collection[str] = ()
    loops: Sequence[str] = ()
    trigger: str = ""

    def has(self, inside: str) -> bool:
        """Whether the text between braces is one of these names, or a path that begins with one."""
        first, _ = _split(inside)
        return normalize(inside) in self.variables or first in _OWN_WORDS or self.step_of(first) is not None

    def step_of(self, word: str) -> str | None:
        """The key of the step that is meant by the word: in camel case, or as its name is written."""
        return next((key for key in (word, camel_case(word)) if key and key in self.steps), None)

    def placeholder_for(self, slip: str) -> str | None:
        """The placeholder that was probably meant; None where nothing says so."""
        inside = slip.strip("{} \t\r\n,.!?;:")
        if normalize(inside.lstrip("# ")) in self.variables:
            return f"{{{{#{inside.lstrip('# ')}}}}}"
        words = inside.lstrip("$ ")
        reference = self._reference_for(words) if words and not inside.startswith("#") else None
        with suppress(ValueError):
            return f"{{{{${parse_reference(reference or '')}}}}}"
        return None

    def _reference_for(self, inside: str) -> str | None:
        first, rest = _split(inside)
        key = self.step_of(first) or (self.trigger if first == "trigger" else None)
        if key:
            is_whole = _split(rest.lstrip("."))[0] in PARTS
            part = "" if is_whole else f".{CURRENT_ITEM if key in self.loops else RESULTS}"
            return f"{key}{part}{rest}"
        if rest.startswith(tuple(f".{part}" for part in PARTS)):
            return inside  # an unknown step, of which the check of references knows more
        if first == RESULTS:
            return f"{self.trigger}.{inside}"
        return self._item_for(first, rest) if self.loops else self._data_for(first, rest)

    def _item_for(self, first: str, rest: str) -> str | None:
        loop = self.loops[-1]
        if first == INDEX:
            return f"{loop}.{INDEX}"
        if first in (CURRENT_ITEM, "item"):
            return f"{loop}.{CURRENT_ITEM}{rest}"
        return None if rest else f"{loop}.{CURRENT_ITEM}.{first}"

    def _data_for(self, first: str, rest: str) -> str | None:
        return None if rest or first in _OWN_WORDS else f"{self.trigger}.{RESULTS}.body.data.{first}"


def placeholder_slips(text: str, names: Names, *, is_literal: bool = False) -> list[str]:
    """The parts of ``text`` that look like a placeholder and are text, in order: a ``$`` or a brace is missing, say.

    ``{{name}}`` may be for another template language, and is a slip only if it is one of ``names``, where the text is
    literal or has a tag of such a language.
    """
    if _BARE.fullmatch(text):
        return [text.strip()]
    if "{" not in text and "$" not in text:
        return []
    is_foreign = is_literal or _TAG in text
    return [
        match.group()
        for part in PLACEHOLDER.sub("\0", text).split("\0")
        for match in _SLIP.finditer(part)
        if not (is_foreign and match["words"]) or names.has(match.group().strip("{} "))
    ]


def check_placeholders(findings: Findings, integration: Integration) -> None:
    """Warn of everything in inputs that looks like a placeholder and is text."""
    variables = integration.config_variables
    for variable in variables.values():
        for value in variable.inputs.values():
            _check_input(findings, value, Names(variables))
    for flow in integration.flows:
        steps = {step.key for step in all_steps(flow.steps)}
        for step, loops in _with_loops(flow):
            if step.operation not in control_steps.JAVASCRIPT:
                names = Names(variables, steps, loops, flow.trigger.key)
                for part in step_inputs(step):
                    _check_part(findings, part, names)


def _check_input(findings: Findings, value: Input, names: Names) -> None:
    for part in inner_inputs(value):
        _check_part(findings, part, names)


def _check_part(findings: Findings, part: Input, names: Names) -> None:
    texts = [part.value] if isinstance(part, Value) else part.parts if isinstance(part, Template) else ()
    is_literal = isinstance(part, Value) and _is_literal(findings.document.value_at(part.at[:-1]), part.at)
    for text in texts:
        if not isinstance(text, str):
            continue
        if is_literal and has_placeholder(text):
            message = "the placeholders of this text are not replaced, because its type is value"
            findings.add("malformed-placeholder", part.at, message, "Write type: template.")
        for found in placeholder_slips(text, names, is_literal=is_literal):
            message = f"'{found[:60]}' looks like a placeholder but is text"
            findings.add("malformed-placeholder", part.at, message, _hint(found, names, is_literal=is_literal))


def _hint(found: str, names: Names, *, is_literal: bool) -> str:
    meant = names.placeholder_for(found)
    if meant is None:
        return f"Write {_FORMS}, without a space after the braces."
    if is_literal or names.has(found.strip("{} ")) or not found.startswith("{{") or "$" in found or "#" in found:
        return f"Write {meant}."
    return f"Write {meant}, if that is meant; to send the braces as they are, write {{type: value, value: …}}."


def _is_literal(around: Any, at: Sequence[str | int]) -> bool:
    """Whether the text there is the value of the exported form, ``{type: value, value: …}``, which is ``around`` it."""
    return at[-1:] == ("value",) and isinstance(around, Mapping) and is_typed(around)


def _with_loops(flow: Flow) -> Iterator[tuple[Step, tuple[str, ...]]]:
    """The flow's steps, each with the keys of the loops around it."""
    waiting: list[tuple[Step, tuple[str, ...]]] = [(step, ()) for step in reversed(flow.steps)]
    while waiting:
        step, loops = waiting.pop()
        yield step, loops
        waiting.extend((inner, (*loops, step.key)) for inner in reversed(step.steps or ()))
        waiting.extend((inner, loops) for branch in step.branches or () for inner in reversed(branch.steps))


def _split(path: str) -> tuple[str, str]:
    """A path's first word, and the rest with what separates them."""
    first = re.split(r"[.\[]", path, maxsplit=1)[0]
    return first.strip(), path[len(first) :]
