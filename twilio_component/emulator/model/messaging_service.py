"""A messaging service: a pool of numbers that send together, and where their messages go."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.sids import new_sid

if TYPE_CHECKING:
    from twilio_component.emulator.http import Fields
    from twilio_component.emulator.model.phone_number import PhoneNumber

# The parameter that changes a setting, the setting's key in the resource, and what it is at first.
_SETTINGS: dict[str, tuple[str, Any]] = {
    "InboundRequestUrl": ("inbound_request_url", None),
    "InboundMethod": ("inbound_method", "POST"),
    "FallbackUrl": ("fallback_url", None),
    "FallbackMethod": ("fallback_method", "POST"),
    "StatusCallback": ("status_callback", None),
    "StickySender": ("sticky_sender", True),
    "MmsConverter": ("mms_converter", True),
    "SmartEncoding": ("smart_encoding", True),
    "ScanMessageContent": ("scan_message_content", "inherit"),
    "FallbackToLongCode": ("fallback_to_long_code", True),
    "AreaCodeGeomatch": ("area_code_geomatch", True),
    "SynchronousValidation": ("synchronous_validation", False),
    "ValidityPeriod": ("validity_period", 36_000),
    "Usecase": ("usecase", "undeclared"),
    "UseInboundWebhookOnNumber": ("use_inbound_webhook_on_number", False),
}


@dataclass(eq=False, slots=True)
class MessagingService:
    """A messaging service of an account. ``settings`` holds what the API can change, by its key in the resource.

    Its senders are the numbers of its ``pool``, and ``channel_senders`` such as ``rcs:my_agent``.
    """

    account_sid: str
    friendly_name: str
    created: float
    updated: float = 0.0
    sid: str = field(default_factory=lambda: new_sid("MG"))
    pool: dict[str, PhoneNumber] = field(default_factory=dict)
    channel_senders: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=lambda: dict(_SETTINGS.values()))

    def __post_init__(self) -> None:
        self.updated = self.created

    def change(self, form: Fields, now: float) -> None:
        """Change what the parameters of a request name."""
        self.friendly_name = form.get("FriendlyName") or self.friendly_name
        for parameter, (key, initial) in _SETTINGS.items():
            text = form.get(parameter)
            if text is not None:
                self.settings[key] = setting_value(text, initial)
        self.updated = now

    def sender_for(self, recipient: str) -> str | None:
        """Return the sender that writes to ``recipient``, always the same one; None from an empty service.

        A recipient on a channel gets a sender of that channel, if there is one, or else a number of the pool.
        """
        channel = addresses.channel_of(recipient)
        senders = sorted(one for one in self.channel_senders if addresses.channel_of(one) == channel)
        prefix = f"{channel}:" if channel else ""
        senders = senders or sorted(f"{prefix}{number.number}" for number in self.pool.values())
        return senders[zlib.crc32(recipient.encode()) % len(senders)] if senders else None

    def representation(self, base_url: str) -> dict[str, Any]:
        """Return the Service resource."""
        url = f"{base_url}/v1/Services/{self.sid}"
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "friendly_name": self.friendly_name,
            "date_created": iso_date(self.created),
            "date_updated": iso_date(self.updated),
            **self.settings,
            "us_app_to_person_registered": False,
            "url": url,
            "links": {"phone_numbers": f"{url}/PhoneNumbers"},
        }

    def number_representation(self, number: PhoneNumber, base_url: str) -> dict[str, Any]:
        """Return one of its numbers, as the service's PhoneNumbers resource."""
        return {
            "sid": number.sid,
            "account_sid": self.account_sid,
            "service_sid": self.sid,
            "date_created": iso_date(number.created),
            "date_updated": iso_date(number.updated),
            "phone_number": number.number,
            "country_code": "US" if number.number.startswith("+1") else None,
            "capabilities": ["SMS", "MMS", "Voice"],
            "url": f"{base_url}/v1/Services/{self.sid}/PhoneNumbers/{number.sid}",
        }


def iso_date(seconds: float) -> str:
    """Return a date such as ``2026-01-31T12:00:00Z``, as Twilio's newer APIs write it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def setting_value(text: str, initial: Any) -> Any:
    """Return a parameter's text as a value of the type that the setting has at first."""
    if isinstance(initial, bool):
        return text.lower() == "true"
    if isinstance(initial, int) and text.isdecimal():
        return int(text)
    return text or None
