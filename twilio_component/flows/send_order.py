"""The order in which the messages of a conversation are sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOrder:
    """Messages to one person from one sender are sent in the order in which their steps come.

    With ``after_delivery`` the next one is sent when the one before is delivered, or ``seconds`` after its request.
    """

    after_delivery: bool = False
    seconds: float = 60.0
