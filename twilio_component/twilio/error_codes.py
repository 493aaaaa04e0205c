"""Twilio's error codes, explained: what each means, what to do, and whether trying again can help.

The words are data, `error_codes.json`, sorted by code; the same codes come as answers to requests, as a message's
``errorCode`` and in status callbacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DOCS = "https://www.twilio.com/docs/errors/{code}"

_LONGEST_CODE = 6
_DATA = Path(__file__).with_name("error_codes.json")
_RETRY = {
    "permanent": "Trying again without a change does not help.",
    "temporary": "Trying again later can help.",
    "recipient": "It is the recipient's choice: do not try again.",
}
_WHERE = {
    "answer": "the answer to a request",
    "message": "a message's errorCode and its status callback",
    "webhook": "Twilio's debugger",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code.

    ``kind`` is ``permanent`` (the same again fails again), ``temporary`` (it may succeed later) or ``recipient`` (the
    recipient's choice); ``arrives`` is ``answer``, ``message`` or ``webhook``.
    """

    code: int
    kind: str
    arrives: str
    meaning: str
    remedy: str

    @property
    def retryable(self) -> bool:
        """Whether the same again may succeed later."""
        return self.kind == "temporary"

    @property
    def link(self) -> str:
        """Twilio's own page about the code."""
        return DOCS.format(code=self.code)

    @property
    def guidance(self) -> str:
        """What it means and what to do, on two lines."""
        return f"What it means: {self.meaning}\nWhat to do: {self.remedy}"

    @property
    def advice(self) -> str:
        """The guidance, and on a third line whether a retry can help."""
        return f"{self.guidance}\n{_RETRY[self.kind]}"

    def __str__(self) -> str:
        """The whole entry, for a terminal."""
        return f"{self.code} (in {_WHERE[self.arrives]})\n{self.advice}\n{self.link}"


def explain(code: int | str | None) -> Explanation | None:
    """The explanation of a code, as a number or as text (callbacks have text); None for a code without one."""
    if isinstance(code, str):
        code = int(code) if code.isascii() and code.isdigit() and len(code) <= _LONGEST_CODE else None
    return None if code is None else _catalogue().get(code)


def explanations() -> Iterator[Explanation]:
    """All of them, by code."""
    yield from _catalogue().values()


@cache
def _catalogue() -> dict[int, Explanation]:
    entries = json.loads(_DATA.read_text(encoding="utf-8"))
    return {entry["code"]: Explanation(**entry) for entry in entries}
