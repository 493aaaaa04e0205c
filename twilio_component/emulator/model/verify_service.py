"""A Verify service: how its codes look, and how often they may be asked for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.model.messaging_service import iso_date, setting_value
from twilio_component.emulator.model.sids import new_sid

if TYPE_CHECKING:
    from twilio_component.emulator.http import Fields
    from twilio_component.emulator.model.verification import Verification

# The parameter that changes a setting, the setting's key in the resource, and what it is at first.
_SETTINGS: dict[str, tuple[str, Any]] = {
    "CodeLength": ("code_length", 6),
    "LookupEnabled": ("lookup_enabled", False),
    "Psd2Enabled": ("psd2_enabled", False),
    "SkipSmsToLandlines": ("skip_sms_to_landlines", False),
    "DtmfInputRequired": ("dtmf_input_required", True),
    "TtsName": ("tts_name", None),
    "DoNotShareWarningEnabled": ("do_not_share_warning_enabled", False),
    "CustomCodeEnabled": ("custom_code_enabled", False),
    "DefaultTemplateSid": ("default_template_sid", None),
    "VerifyEventSubscriptionEnabled": ("verify_event_subscription_enabled", False),
}
_SHORTEST_CODE, _LONGEST_CODE = 4, 10


@dataclass(eq=False, slots=True)
class Bucket:
    """At most ``maximum`` verifications in ``interval`` seconds, for each value of the rate limit's key."""

    maximum: int
    interval: int
    created: float
    sid: str = field(default_factory=lambda: new_sid("BL"))
    updated: float = 0.0
    _times: dict[str, deque[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.updated = self.created

    def is_full(self, key: str, now: float) -> bool:
        """Return whether ``key`` has used up the bucket."""
        times = self._times.setdefault(key, deque())
        while times and times[0] <= now - self.interval:
            times.popleft()
        return len(times) >= self.maximum

    def add(self, key: str, now: float) -> None:
        """Count a verification of ``key``."""
        self._times.setdefault(key, deque()).append(now)


@dataclass(eq=False, slots=True)
class RateLimit:
    """A limit of a service, by a key that the application gives with each verification."""

    unique_name: str
    created: float
    description: str | None = None
    sid: str = field(default_factory=lambda: new_sid("RK"))
    updated: float = 0.0
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.updated = self.created


@dataclass(eq=False, slots=True)
class VerifyService:
    """A Verify service of an account. ``settings`` holds what the API can change, by its key in the resource.

    One that is not ``declared`` came into being when a verification was started with its SID.
    """

    account_sid: str
    friendly_name: str
    created: float
    sid: str = field(default_factory=lambda: new_sid("VA"))
    updated: float = 0.0
    declared: bool = True
    settings: dict[str, Any] = field(default_factory=lambda: dict(_SETTINGS.values()))
    verifications: dict[str, Verification] = field(default_factory=dict)
    rate_limits: dict[str, RateLimit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.updated = self.created

    def change(self, form: Fields, now: float) -> None:
        """Change what the parameters of a request name. Raises `ApiError` 60200 for a length that codes cannot have."""
        length = form.get("CodeLength")
        if length is not None and not (length.isdecimal() and _SHORTEST_CODE <= int(length) <= _LONGEST_CODE):
            raise ApiError(60200, name="CodeLength", reason=f"{_SHORTEST_CODE} to {_LONGEST_CODE} is allowed")
        self.friendly_name = form.get("FriendlyName") or self.friendly_name
        for parameter, (key, initial) in _SETTINGS.items():
            text = form.get(parameter)
            if text is not None:
                self.settings[key] = setting_value(text, initial)
        self.updated = now

    def count(self, keys: dict[str, str], now: float) -> None:
        """Count a verification against the rate limits that it names. Raises `ApiError` 60207 where one is reached."""
        by_name = {one.unique_name: one for one in self.rate_limits.values()}
        unknown = keys.keys() - by_name.keys()
        if unknown:
            raise ApiError(60200, name="RateLimits", reason=f"the service has no {', '.join(sorted(unknown))}")
        buckets = [(bucket, key) for name, key in keys.items() for bucket in by_name[name].buckets.values()]
        if any(bucket.is_full(key, now) for bucket, key in buckets):
            raise ApiError(60207)
        for bucket, key in buckets:
            bucket.add(key, now)

    def representation(self, base_url: str) -> dict[str, Any]:
        """Return the Service resource."""
        url = f"{base_url}/v2/Services/{self.sid}"
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "friendly_name": self.friendly_name,
            **self.settings,
            "push": {"apn_credential_sid": None, "fcm_credential_sid": None},
            "totp": {"issuer": self.friendly_name, "time_step": 30, "code_length": 6, "skew": 1},
            "whatsapp": {"msg_service_sid": None, "from": None},
            "passkeys": None,
            "date_created": iso_date(self.created),
            "date_updated": iso_date(self.updated),
            "url": url,
            "links": {
                "verifications": f"{url}/Verifications",
                "verification_checks": f"{url}/VerificationCheck",
                "rate_limits": f"{url}/RateLimits",
            },
        }
