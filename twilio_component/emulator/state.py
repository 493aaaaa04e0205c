"""Everything that one emulator holds, as the handlers of requests see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.phone_number import PhoneNumber, check_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twilio_component.emulator.change_feed import Feed
    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.faults import Faults
    from twilio_component.emulator.http import Request
    from twilio_component.emulator.messaging.lifecycle import MessageLifecycle
    from twilio_component.emulator.model.accounts import Account, Accounts
    from twilio_component.emulator.model.lookups import Lookups
    from twilio_component.emulator.model.message import Message
    from twilio_component.emulator.model.verification import Verification
    from twilio_component.emulator.request_log import RequestLog
    from twilio_component.emulator.webhooks.sender import Webhooks


@dataclass(slots=True)
class EmulatorState:
    """The state that requests read and change. ``base_url`` is where applications find the API's media."""

    clock: Clock
    accounts: Accounts
    lifecycle: MessageLifecycle
    request_log: RequestLog
    faults: Faults
    webhooks: Webhooks
    feed: Feed
    lookups: Lookups
    base_url: str = "https://api.twilio.com"

    @property
    def messages(self) -> list[Message]:
        """Every message of every account, each account's in their order."""
        return [message for account in self.accounts for message in account.messages]

    @property
    def verifications(self) -> list[Verification]:
        """Every verification of every account, with its code, oldest first within each service."""
        services = [service for account in self.accounts for service in account.verify_services.values()]
        return [verification for service in services for verification in service.verifications.values()]

    def add_number(self, number: str, *, account: Account | None = None, **settings: str) -> PhoneNumber:
        """Give an account a number with ``settings`` of the resource, such as ``sms_url``.

        Without ``account`` it goes to the default account. A number that the account has already gets the settings.
        Raises ValueError for what is no number, and for a setting that a number does not have or cannot use.
        """
        if not addresses.is_number(number) and not addresses.is_short_code(number):
            allowed = "one such as +15017122661, or a short code of five or six digits"
            raise ValueError(f"number has to be {allowed}, not {number!r}")
        owner = account or self.accounts.default_account()
        added = owner.number_of(number) or PhoneNumber(owner.sid, number, self.clock.now())
        unknown = settings.keys() - added.settings.keys()
        if unknown:
            raise ValueError(f"a number has no {', '.join(sorted(unknown))}; it has {', '.join(added.settings)}")
        check_settings(settings)
        added.settings.update(settings)
        owner.numbers[added.sid] = added
        return added

    def reset(self) -> None:
        """Forget messages, accounts, faults, delivery rules and the request log. The clock keeps its time."""
        self.clock.forget_events()
        self.accounts.clear()
        self.faults.clear()
        self.lifecycle.rules.clear()
        self.lookups.clear()
        self.webhooks.clear()
        self.request_log.clear()
        self.feed.forget()

    def clear_messages(self) -> None:
        """Forget messages and the request log; accounts with their numbers, faults and delivery rules stay."""
        self.clock.forget_events()
        for account in self.accounts:
            account.messages.clear()
            account.code_messages.clear()
        self.webhooks.clear()
        self.request_log.clear()
        self.feed.forget()

    def listening_at(self, url: str | None, *, refuse: Callable[[float], None] | None = None) -> None:
        """Note that a server listens at ``url``, or, with None, that it does not any more.

        ``refuse`` makes the server refuse connections for so many seconds; without it, the fault ``refuse`` applies to
        single requests.
        """
        if url is not None:
            self.base_url = url
        self.faults.refuse_connections = refuse


@dataclass(slots=True)
class ApiCall:
    """One authenticated request on its way to its handler: the account it acts on, and what its path names."""

    state: EmulatorState
    account: Account
    request: Request
    names: Mapping[str, str]
