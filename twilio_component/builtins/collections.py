"""Lists and objects, made and changed. What is given is never changed itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.javascript import json_text
from twilio_component.flows.expressions.operators import strictly_equal
from twilio_component.host.errors import PerformError

if TYPE_CHECKING:
    from twilio_component.host.context import Context


async def create_list(_context: Context, inputs: dict[str, Any]) -> list[Any]:
    """The items, the members of those that are lists in their places."""
    return _flat(inputs.get("items", []))


async def create_object(_context: Context, inputs: dict[str, Any]) -> dict[str, Any]:
    """The object that key-value pairs describe; of a key that comes twice, the later value stays."""
    return _members(inputs.get("keyValueInput", []))


async def add_key(_context: Context, inputs: dict[str, Any]) -> dict[str, Any]:
    """The object with one more member, at a path within it."""
    return _with(inputs["object"], inputs.get("objectPath", ""), {inputs["key"]: inputs.get("value")})


async def add_keys(_context: Context, inputs: dict[str, Any]) -> dict[str, Any]:
    """The object with more members, at a path within it."""
    members = {**_members(inputs.get("keyValueListInput", [])), **inputs.get("dynamicFields", {})}
    return _with(inputs["object"], inputs.get("objectPath", ""), members)


async def chunks(_context: Context, inputs: dict[str, Any]) -> list[list[Any]]:
    """The list, cut into lists of at most a length."""
    items, length = inputs["listInput"], inputs["numberInput"]
    return [items[start : start + length] for start in range(0, len(items), length)]


async def flatten(_context: Context, inputs: dict[str, Any]) -> list[Any]:
    """The list without one level of nesting."""
    return _flat(inputs.get("listInput", []))


async def append(_context: Context, inputs: dict[str, Any]) -> list[Any]:
    """The list with one more element at its end."""
    return [*inputs["listInput"], inputs.get("elementInput")]


async def concatenate(_context: Context, inputs: dict[str, Any]) -> list[Any]:
    """The members of one list, then those of another."""
    return [*inputs["listInput"], *inputs["secondListInput"]]


async def count(_context: Context, inputs: dict[str, Any]) -> int:
    """How often an element occurs in the list."""
    return sum(strictly_equal(member, inputs.get("elementInput")) for member in inputs["listInput"])


async def length(_context: Context, inputs: dict[str, Any]) -> int:
    """The number of elements."""
    return len(inputs["listInput"])


async def first(_context: Context, inputs: dict[str, Any]) -> Any:
    """The first element, null of an empty list."""
    return inputs["listInput"][0] if inputs["listInput"] else None


async def last(_context: Context, inputs: dict[str, Any]) -> Any:
    """The last element, null of an empty list."""
    return inputs["listInput"][-1] if inputs["listInput"] else None


async def take_first(_context: Context, inputs: dict[str, Any]) -> list[Any]:
    """The first elements, as many as there are up to a number."""
    return list(inputs["listInput"][: inputs["numberInput"]])


async def take_last(_context: Context, inputs: dict[str, Any]) -> list[Any]:
    """The last elements, as many as there are up to a number."""
    items = inputs["listInput"]
    return list(items[max(len(items) - inputs["numberInput"], 0) :])


async def remove(_context: Context, inputs: dict[str, Any]) -> list[Any]:
    """The list without an element, wherever it occurs."""
    return [member for member in inputs["listInput"] if not strictly_equal(member, inputs.get("elementInput"))]


async def without_repetitions(_context: Context, inputs: dict[str, Any]) -> list[Any]:
    """The list with each element once, where it first occurs."""
    seen: dict[str, list[Any]] = {}
    kept: list[Any] = []
    for member in inputs["listInput"]:
        alike = seen.setdefault(f"{type(member).__name__}{json_text(member)}", [])
        if not any(strictly_equal(member, other) for other in alike):
            alike.append(member)
            kept.append(member)
    return kept


async def select(_context: Context, inputs: dict[str, Any]) -> Any:
    """The element at an index (negative ones count from the end); null where there is none."""
    items, index = inputs["listInput"], inputs["indexInput"]
    return items[index] if -len(items) <= index < len(items) else None


async def pairs_to_object(_context: Context, inputs: dict[str, Any]) -> dict[str, Any]:
    """The object that key-value pairs describe."""
    return _members(inputs.get("keyValueListInput", []))


async def object_to_pairs(_context: Context, inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """The members of an object as key-value pairs."""
    return [{"key": key, "value": value} for key, value in inputs["object"].items()]


def _flat(items: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for item in items:
        flat.extend(item if isinstance(item, list) else [item])
    return flat


def _members(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: pair.get("value") for pair in pairs}


def _with(whole: dict[str, Any], path: str, members: dict[str, Any]) -> dict[str, Any]:
    changed = dict(whole)
    inner = changed
    for key in filter(None, path.split(".")):
        below = inner.get(key, {})
        if not isinstance(below, dict):
            raise PerformError(f"the object's path leads through '{key}', which is not an object")
        inner[key] = inner = dict(below)
    inner.update(members)
    return changed
