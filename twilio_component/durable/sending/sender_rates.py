"""Senders that have a rate, by the names under which their requests go out.

A configuration and a flow may write one sender in many ways. What a request says is what the component makes of it: so
both are cleaned by the component, and meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from twilio_component.flows.expressions.references import as_text
from twilio_component.host.errors import InputError, Problem
from twilio_component.host.inputs.form import InputForm
from twilio_component.host.inputs.messages import entry_problem

if TYPE_CHECKING:
    from twilio_component.host.model import Component


_NOT_VALID = "The configuration is not valid"
_Value = TypeVar("_Value")


def names_of_senders(senders: Mapping[str, str], components: Mapping[str, Component]) -> Mapping[str, str]:
    """Return the names of the ``senders`` (by name) by what requests say; raises ``InputError`` as below."""
    names: dict[str, str] = {}
    for name, sender in senders.items():
        if sender in names:
            text = f"{names[sender]} and {name} are the same sender"
            raise InputError(_NOT_VALID, [entry_problem("senders", name, text)])
        names[sender] = name
    return settings_of_senders("senders", names, components)


def rates_of_senders(rates: Mapping[str, float], components: Mapping[str, Component]) -> Mapping[str, float]:
    """Return the rates by what requests say; raises ``InputError`` for a key that is not a sender."""
    return settings_of_senders("rateLimits", rates, components)


def settings_of_senders(
    section: str, values: Mapping[str, _Value], components: Mapping[str, Component]
) -> Mapping[str, _Value]:
    """Return what a section sets by sender, by what requests say; raises ``InputError`` for a key that is not a sender.

    Where no component says what its actions are limited by, the keys stay as they are.
    """
    if not values:
        return values
    inputs = [
        (InputForm(action.inputs, component.connections), name)
        for component in components.values()
        for action in component.actions.values()
        for name in action.options.get("rateLimitedBy", ())
    ]
    if not inputs:
        return values
    found: dict[str, _Value] = {}
    problems: list[Problem] = []
    for key, value in values.items():
        senders, reasons = _senders_of(key, inputs)
        if not senders:
            text = f"is not a sender: {'; or: '.join(reasons)}"
            problems.append(entry_problem(section, key, text))
        elif senders & found.keys():
            problems.append(entry_problem(section, key, "is not unique: another key names this sender too"))
        found.update(dict.fromkeys(senders, value))
    if problems:
        raise InputError(_NOT_VALID, problems)
    return found


def _senders_of(key: str, inputs: list[tuple[InputForm, str]]) -> tuple[set[str], list[str]]:
    """Return the senders that the inputs make of the key, and the reasons of those that refuse it."""
    senders: set[str] = set()
    reasons: list[str] = []
    for form, name in inputs:
        try:
            senders.add(as_text(form.validate_alone(name, key)))
        except InputError as error:
            reasons += [problem.message for problem in error.problems if problem.message not in reasons]
    return senders, reasons
