"""How deep values from strangers may be nested, so that nothing after the check needs to count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEEPEST = 200
# By exact type first: nearly everything is one of these, and a request's body alone is hundreds of numbers.
_PLAIN = frozenset({str, int, float, bool, type(None)})


def deeper_than(value: Any, levels: int = DEEPEST) -> bool:
    """Whether lists and objects are nested more than so many levels deep; found without recursion."""
    layer = [value] if isinstance(value, (Mapping, list)) else []
    for _ in range(levels):
        inner: list[Any] = []
        for item in layer:
            inner.extend(item.values() if isinstance(item, Mapping) else item)
        layer = [item for item in inner if type(item) not in _PLAIN and isinstance(item, (Mapping, list))]
        if not layer:
            return False
    return True
