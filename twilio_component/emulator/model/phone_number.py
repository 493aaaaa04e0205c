"""A phone number of an account, and the settings of it that can be changed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.model.message import API_VERSION, twilio_date
from twilio_component.emulator.model.sids import new_sid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.emulator.http import Fields

_WEB_URL = re.compile(r"https?://[^\s/?#]+\S*\Z", re.IGNORECASE)
# The parameter that changes a setting, the setting's key in the resource, and what it is at first.
_SETTINGS: dict[str, tuple[str, str | None]] = {
    "SmsUrl": ("sms_url", ""),
    "SmsMethod": ("sms_method", "POST"),
    "SmsFallbackUrl": ("sms_fallback_url", ""),
    "SmsFallbackMethod": ("sms_fallback_method", "POST"),
    "SmsApplicationSid": ("sms_application_sid", None),
    "StatusCallback": ("status_callback", ""),
    "StatusCallbackMethod": ("status_callback_method", "POST"),
    "VoiceUrl": ("voice_url", ""),
    "VoiceMethod": ("voice_method", "POST"),
    "VoiceFallbackUrl": ("voice_fallback_url", ""),
    "VoiceFallbackMethod": ("voice_fallback_method", "POST"),
    "VoiceApplicationSid": ("voice_application_sid", None),
}


@dataclass(eq=False, slots=True)
class PhoneNumber:
    """A number that belongs to an account. ``settings`` holds what the API can change, by its key in the resource."""

    account_sid: str
    number: str
    created: float
    friendly_name: str = ""
    updated: float = 0.0
    sid: str = field(default_factory=lambda: new_sid("PN"))
    settings: dict[str, str | None] = field(default_factory=lambda: dict(_SETTINGS.values()))

    def __post_init__(self) -> None:
        self.updated = self.created
        self.friendly_name = self.friendly_name or self.number

    def change(self, form: Fields, now: float) -> None:
        """Change what the parameters of a request name."""
        self.friendly_name = form.get("FriendlyName") or self.friendly_name
        for parameter, (key, _) in _SETTINGS.items():
            if parameter in form:
                self.settings[key] = form.get(parameter)
        self.updated = now

    def representation(self) -> dict[str, Any]:
        """Return the IncomingPhoneNumber resource."""
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "friendly_name": self.friendly_name,
            "phone_number": self.number,
            **self.settings,
            "voice_caller_id_lookup": False,
            "voice_receive_mode": "voice",
            "trunk_sid": None,
            "identity_sid": None,
            "address_sid": None,
            "address_requirements": "none",
            "bundle_sid": None,
            "emergency_status": "Inactive",
            "emergency_address_sid": None,
            "emergency_address_status": "unregistered",
            "beta": False,
            "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
            "origin": "twilio",
            "status": "in-use",
            "type": "local",
            "api_version": API_VERSION,
            "date_created": twilio_date(self.created),
            "date_updated": twilio_date(self.updated),
            "uri": f"/{API_VERSION}/Accounts/{self.account_sid}/IncomingPhoneNumbers/{self.sid}.json",
        }


def check_settings(settings: Mapping[str, str | None], names: Mapping[str, str] = MappingProxyType({})) -> None:
    """Raise ValueError for a URL or method of a number that no webhook can go to, or with.

    ``names`` are what the settings are called where they were given, if not as in the resource.
    """
    for key, value in settings.items():
        if key.endswith("_method") and (value or "").upper() not in ("GET", "POST"):
            raise ValueError(f"{names.get(key, key)} has to be GET or POST, not {value!r}")
        is_url = key.endswith("_url") or key == "status_callback"
        if is_url and value and not _WEB_URL.match(value):
            allowed = "empty or a URL that begins with http:// or https://"
            raise ValueError(f"{names.get(key, key)} has to be {allowed}, not {value!r}")
