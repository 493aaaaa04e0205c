"""Whether a run can continue with the definition served now: the steps that it has taken must be unchanged."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.flows.model import Flow, Step

_ITERATION = re.compile(r"\[\d+\]")


def keys_of(step_ids: Collection[str]) -> set[str]:
    """The keys of the steps with these ids, and of the loops around them: ``everyone[3].send`` has two."""
    return {key for step_id in step_ids for key in _ITERATION.sub("", step_id).split(".")}


def changes_before(old: Flow, new: Flow, taken: Collection[str], may_change: Collection[str] = ()) -> list[str]:
    """What has changed of the steps up to the last one in ``taken``, the keys of steps whose results are kept.

    The changes are named by step and part, without values. A loop may have another ``concurrency``, and the steps in
    ``may_change`` other inputs.
    """
    before, after = [*_parts_by_step(old.steps)], [*_parts_by_step(new.steps)]
    last = max((number for number, (key, _) in enumerate(before) if key in taken), default=-1)
    changes: list[str] = []
    for number, (key, parts) in enumerate(before[: last + 1]):
        if number >= len(after) or after[number][0] != key:
            there = f"'{after[number][0]}'" if number < len(after) else "nothing"
            return [*changes, f"where the step '{key}' was, there is {there}"]
        changed = sorted(
            name for name in parts.keys() | after[number][1].keys() if parts.get(name) != after[number][1].get(name)
        )
        may = key in may_change
        changes += [f"{name} of the step '{key}'" for name in changed if not (may and name.startswith("inputs."))]
    return changes


def _parts_by_step(steps: Collection[Step]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each step in the order of the file, by its key, with its parts; steps inside it follow on their own."""
    for step in steps:
        yield step.key, _parts(step)
        yield from _parts_by_step(step.steps or ())
        for branch in step.branches or ():
            yield from _parts_by_step(branch.steps)


def _parts(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {"action": step.operation, "branches": [branch.name for branch in step.branches or ()]}
    found["concurrency"] = step.concurrency is not None  # how much of it may change
    for name in ("conditions", "source", "valid_for", "on_error"):
        found[name] = _without_places(getattr(step, name))
    found.update({f"inputs.{name}": _without_places(value) for name, value in step.inputs.items()})
    return found


def _without_places(value: Any) -> Any:
    """A part of a definition without where it is in its file."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: _without_places(getattr(value, one.name)) for one in dataclasses.fields(value)}
        return {"type": type(value).__name__, **{name: part for name, part in fields.items() if name != "at"}}
    if isinstance(value, Mapping):
        return {name: _without_places(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_places(part) for part in value]
    return value
