"""Lists and objects, made and changed. What is given is never changed itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
