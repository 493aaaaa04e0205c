"""Everything that one emulator holds, as the handlers of requests see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.emulator.change_feed import Feed
    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.faults import Faults
    from twilio_component.emulator.http import Request
    from twilio_component.emulator.messaging.lifecycle import Life
    from twilio_component.emulator.model.accounts import Account, Accounts
    from twilio_component.emulator.request_log import Journal
    from twilio_component.emulator.webhooks.sender import Webhooks


@dataclass(slots=True)
class EmulatorState:
    """The state that requests read and change. ``base_url`` is where applications find the API's media."""

    clock: Clock
    accounts: Accounts
    life: Life
    journal: Journal
    faults: Faults
    webhooks: Webhooks
    feed: Feed
    base_url: str = "https://api.twilio.com"


@dataclass(slots=True)
class Call:
    """One authenticated request on its way to its handler: whose it is, and what its path names."""

    world: EmulatorState
    account: Account
    request: Request
    names: Mapping[str, str]
