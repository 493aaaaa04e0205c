"""Regular expressions for answers, bounded so that no reply can keep the engine busy.

Python's engine tries alternatives one after another. How many there can be is the product of what each repetition and
each choice allows, unless repetitions are nested: so nesting is refused, and the product is bounded.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST_ANSWER = 160
"""How many characters an answer to a pattern may have."""
_LONGEST_PATTERN = 200
_MOST_WAYS = 50_000
_REPEAT = re.compile(r"(?:[*+?]|\{([0-9]{1,3})(,?)([0-9]{0,3})\})")


def clean_pattern(value: str, _inputs: object) -> str:
    """Return the pattern; raises ``ValueError`` for one that is not valid, or that could take long to match."""
    compile_pattern(value)
    return value


@lru_cache(maxsize=500)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the compiled pattern; raises ``ValueError`` like ``clean_pattern``."""
    if len(pattern) > _LONGEST_PATTERN:
        raise ValueError(f"must have at most {_LONGEST_PATTERN} characters")
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError("must be a regular expression, such as [A-Z]{2}[0-9]{4}") from error
    ways, place = _Counter(pattern).alternatives(0)
    if place != len(pattern) or ways > _MOST_WAYS:
        raise ValueError(
            "could take long to match: use fewer repetitions, with bounds, such as [0-9]{4,6} instead of [0-9]+"
        )
    return compiled


class _Counter:
    """Counts in how many ways a pattern can be tried on the longest answer."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def alternatives(self, place: int) -> tuple[int, int]:
        """The ways of alternatives from ``place`` to their end, and where that is."""
        ways, place = self._sequence(place)
        while self._at(place) == "|":
            more, place = self._sequence(place + 1)
            ways += more
        return ways, place

    def _sequence(self, place: int) -> tuple[int, int]:
        ways = 1
        while place < len(self._pattern) and self._at(place) not in ("|", ")"):
            inner, place = self._atom(place)
            repeats, place = self._repeats(place)
            if repeats > 1 and inner > 1:
                raise ValueError("must not repeat a group that has repetitions or choices of its own")
            ways = min(ways * inner * repeats, _MOST_WAYS + 1)
        return ways, place

    def _atom(self, place: int) -> tuple[int, int]:
        """The ways of one character, class or group, and the place after it."""
        first = self._at(place)
        if first == "\\":
            if self._at(place + 1).isdigit() and self._at(place + 1) != "0":
                raise ValueError("must not refer back to a group")
            return 1, place + 2
        if first == "[":
            return 1, self._end_of_class(place)
        if first != "(":
            return 1, place + 1
        if self._at(place + 1) == "?":
            if self._at(place + 2) != ":":
                raise ValueError("may have groups of the forms (…) and (?:…) only")
            place += 2
        ways, place = self.alternatives(place + 1)
        return ways, place + 1

    def _repeats(self, place: int) -> tuple[int, int]:
        """In how many ways what comes before may be repeated, and the place after that."""
        found = _REPEAT.match(self._pattern, place)
        if found is None:
            return 1, place
        place = found.end()
        if self._at(place) in ("?", "+"):
            place += 1
        if found[0] == "?":
            return 2, place
        if found[1] is None or (found[2] and not found[3]):
            return LONGEST_ANSWER + 1, place
        least = int(found[1])
        return (int(found[3]) - least + 1 if found[2] else 1), place

    def _end_of_class(self, place: int) -> int:
        place += 1
        if self._at(place) == "^":
            place += 1
        if self._at(place) == "]":
            place += 1
        while self._at(place) not in ("]", ""):
            place += 2 if self._at(place) == "\\" else 1
        return place + 1

    def _at(self, place: int) -> str:
        return self._pattern[place : place + 1]
