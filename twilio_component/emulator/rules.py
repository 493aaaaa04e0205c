"""Which messages or requests something applies to: who fails, which request meets a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.model import addresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from twilio_component.emulator.http import Request


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule looks at: a request (with its ``operation``) or a message (without)."""

    operation: str | None = None
    to: str | None = None
    sender: str | None = None
    body: str | None = None


class MessageConditions(TypedDict, total=False):
    """The conditions on a message; see `Rule`."""

    to: str
    sender: str
    body: str
    nth: int


class RequestConditions(MessageConditions, total=False):
    """The conditions on a request; see `Rule`."""

    operation: str


@dataclass(eq=False, slots=True)
class Rule:
    """Every condition that is given must hold; without any, the rule applies to everything.

    ``operation`` is the name of a route such as ``messages.create``. ``to`` and ``sender`` are as Twilio keeps them,
    ``body`` is looked for in the text. ``nth`` picks the n-th of those that match, ``times`` the first so many.
    ``hits`` counts how often it applied.
    """

    operation: str | None = None
    to: str | None = None
    sender: str | None = None
    body: str | None = None
    nth: int | None = None
    times: int | None = None
    hits: int = 0
    seen: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError or TypeError for a condition that nothing could ever meet."""
        for key, fault_in in (("to", addresses.fault_in_recipient), ("sender", addresses.fault_in_sender)):
            given = getattr(self, key)
            if given is None:
                continue
            if not isinstance(given, str):
                raise TypeError(f"{key}: an address is a text such as '+15558675310', not {given!r}")
            fault = fault_in(given)
            if fault:
                raise ValueError(f"{key}: {fault}")
        for key in ("nth", "times"):
            count = getattr(self, key)
            if count is not None and count < 1:
                raise ValueError(f"{key} has to be 1 or more, not {count}")

    def applies_to(self, subject: Subject) -> bool:
        """Return whether it applies; counts that it was asked."""
        if not self._matches(subject):
            return False
        self.seen += 1
        if self.nth is not None and self.seen != self.nth:
            return False
        if self.spent:
            return False
        self.hits += 1
        return True

    @property
    def spent(self) -> bool:
        """Whether it will never apply again."""
        if self.nth is not None and self.seen >= self.nth and self.hits:
            return True
        return self.times is not None and self.hits >= self.times

    def _matches(self, subject: Subject) -> bool:
        exact = (
            (self.operation, subject.operation),
            (self.to, subject.to),
            (self.sender, subject.sender),
        )
        if any(wanted is not None and wanted != found for wanted, found in exact):
            return False
        return self.body is None or self.body in (subject.body or "")


def subject_of(request: Request, operation: str | None) -> Subject:
    """Return what rules look at in a request, its addresses as Twilio keeps them, as conditions have them too."""
    fields = request.form if request.method == "POST" else request.arguments
    recipient = _as_kept(fields.get("To"), addresses.recipient)
    return Subject(operation, recipient, _as_kept(fields.get("From"), addresses.sender), fields.get("Body"))


def _as_kept(text: str | None, kept: Callable[[str], str]) -> str | None:
    """Return an address as Twilio keeps it; one that it refuses stays as it is."""
    try:
        return kept(text) if text else text
    except ApiError:
        return text
