"""How deep values from strangers may be nested, so that nothing after the check needs to count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DEEPEST = 200
# By exact type first: nearly everything is one of these, and a request's body alone is hundreds of numbers.
_PLAIN = frozenset({str, int, float, bool, type(None)})


def deeper_than(value: Any, levels: int = DEEPEST) -> bool:
    """Whether lists and objects are nested more than so many levels deep; found without recursion."""
    layer = [value] if isinstance(value, (Mapping, list)) else []
    for _ in range(levels):
        layer = [
            item
            for outer in layer
            for item in (outer if type(outer) is list else _members(outer))
            if type(item) not in _PLAIN and isinstance(item, (dict, list, Mapping))
        ]
        if not layer:
            return False
    return True


def _members(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, (dict, Mapping)) else value
