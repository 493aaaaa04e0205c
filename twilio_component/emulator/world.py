"""Everything that one emulator holds, as the handlers of requests see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.emulator.accounts import Account, Accounts
    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.life import Life
    from twilio_component.emulator.wire import Request


@dataclass(slots=True)
class World:
    """The state that requests read and change."""

    clock: Clock
    accounts: Accounts
    life: Life


@dataclass(slots=True)
class Call:
    """One authenticated request on its way to its handler: whose it is, and what its path names."""

    world: World
    account: Account
    request: Request
    names: Mapping[str, str]
