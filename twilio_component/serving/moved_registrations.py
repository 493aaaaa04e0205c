"""Which registrations follow their number or service to another flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.durable.store.registrations import Registration

Key = tuple[str, str]
"""An integration and a flow of it."""


def key_of(one: Registration) -> Key:
    """The flow that a registration is for."""
    return one.integration, one.flow


def find_moves(owners: Mapping[Key, Key | None]) -> dict[Key, Key]:
    """The flows whose registrations move to others, given for each one the flow that names the same now.

    A place must be free, or become free: where a registration stays, the flow that has it gives its number back itself.
    """
    moves = {old: new for old, new in owners.items() if new is not None and new != old}
    while taken := [old for old, new in moves.items() if new in owners.keys() - moves.keys()]:
        for old in taken:
            del moves[old]
    return moves
