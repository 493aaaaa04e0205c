"""What tells the events of a trigger apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EventIdentity:
    """Identifies the event that a request reports; a manifest's ``identifyEvent`` returns it for a trigger's payload.

    ``key`` names the event itself, such as a message and its status: however often, and in whatever words it is
    reported, it is one event. Where it is None, two requests report the same event when they have the same ``content``
    and the same ``delivery``, the sender's id of the delivery, which a signature may not cover. ``signature`` stands
    for everything that was signed: a request with the signature of an event that has a key is that event, too.
    """

    key: Sequence[Any] | None
    content: Sequence[Any]
    signature: str
    delivery: str = ""
