"""Time zones by their names."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo


@cache
def zone_named(name: str) -> ZoneInfo:
    """The time zone with this name; raises ``ValueError``, ``OSError`` or ``LookupError`` when there is none."""
    return ZoneInfo(name)


def is_zone(name: str) -> bool:
    """Whether there is a time zone with this name."""
    try:
        zone_named(name)
    except (ValueError, OSError, LookupError):  # a missing one is a KeyError, a path or a folder are the others
        return False
    return True
