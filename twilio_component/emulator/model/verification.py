"""One verification: a code that was sent to somebody, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.model.messaging_service import iso_date
from twilio_component.emulator.model.sids import new_sid

if TYPE_CHECKING:
    from twilio_component.emulator.model.message import Message

# Seconds after which a code is worth nothing.
LIFETIME = 600
MOST_SENDS = 5
MOST_CHECKS = 5


@dataclass(eq=False, slots=True)
class Verification:
    """A verification of ``to``. ``sends`` are the messages, calls and mails that carry its ``code``.

    ``status`` is ``pending``, ``approved``, ``canceled`` or ``max_attempts_reached``; see also `is_expired`.
    """

    account_sid: str
    service_sid: str
    to: str
    channel: str
    code: str
    created: float
    amount: str | None = None
    payee: str | None = None
    status: str = "pending"
    updated: float = 0.0
    checks: int = 0
    sends: list[Message] = field(default_factory=list)
    sid: str = field(default_factory=lambda: new_sid("VE"))

    def __post_init__(self) -> None:
        self.updated = self.created

    def is_expired(self, now: float) -> bool:
        """Return whether its time is over."""
        return now >= self.created + LIFETIME

    def is_active(self, now: float) -> bool:
        """Return whether the API still knows it: Twilio forgets one that is approved, canceled or expired."""
        return self.status in ("pending", "max_attempts_reached") and not self.is_expired(now)

    def status_at(self, now: float) -> str:
        """Return the status with the one that time brings, ``expired``."""
        return "expired" if self.status == "pending" and self.is_expired(now) else self.status

    def become(self, status: str, now: float) -> None:
        """Enter ``status`` at the time ``now``."""
        self.status, self.updated = status, now

    def representation(self, base_url: str) -> dict[str, Any]:
        """Return the Verification resource."""
        return {
            **self.check_representation(),
            "lookup": {},
            "send_code_attempts": [
                {"attempt_sid": one.sid, "channel": one.channel, "time": iso_date(one.created)} for one in self.sends
            ],
            "sna": None,
            "url": f"{base_url}/v2/Services/{self.service_sid}/Verifications/{self.sid}",
        }

    def check_representation(self) -> dict[str, Any]:
        """Return what the Verification and the VerificationCheck resource have in common."""
        return {
            "sid": self.sid,
            "service_sid": self.service_sid,
            "account_sid": self.account_sid,
            "to": self.to,
            "channel": self.channel,
            "status": self.status,
            "valid": self.status == "approved",
            "amount": self.amount,
            "payee": self.payee,
            "date_created": iso_date(self.created),
            "date_updated": iso_date(self.updated),
        }
