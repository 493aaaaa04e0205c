"""One message: what the emulator keeps of it, and how Twilio shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from typing import Any

API_VERSION = "2010-04-01"

# In these states Twilio still works on it, and lets nobody delete or redact it.
IN_PROGRESS = frozenset({"accepted", "queued", "sending", "receiving", "scheduled"})


@dataclass(slots=True, eq=False)
class Media:
    """A file of a message: where the sender keeps it (``url``), or the bytes that came in (``content``)."""

    sid: str
    content_type: str
    created: float
    url: str | None = None
    content: bytes = b""


@dataclass(slots=True, eq=False)
class Message:
    """A message. Times are seconds since 1970; ``history`` holds every status with its time, oldest first."""

    sid: str
    account_sid: str
    to: str
    sender: str | None
    body: str
    status: str
    created: float
    direction: str = "outbound-api"
    updated: float = 0.0
    sent: float | None = None
    segments: int = 0
    media: list[Media] = field(default_factory=list)
    error_code: int | None = None
    error_message: str | None = None
    price: str | None = None
    messaging_service_sid: str | None = None
    chosen_sender: str | None = None
    status_callback: str | None = None
    validity_period: int | None = None
    send_at: float | None = None
    provide_feedback: bool = False
    discards_content: bool = False
    obfuscates_address: bool = False
    feedback: str | None = None
    # How a verification's code travels; other messages have their channel in their address.
    channel: str | None = None
    history: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.updated = self.created
        self.history.append((self.created, self.status))

    @property
    def uri(self) -> str:
        """Its path, relative to the API's host, without the ``.json``."""
        return f"/{API_VERSION}/Accounts/{self.account_sid}/Messages/{self.sid}"

    def become(self, status: str, now: float) -> None:
        """Enter ``status`` at the time ``now``."""
        self.status = status
        self.updated = now
        self.history.append((now, status))

    def representation(self) -> dict[str, Any]:
        """Return the message resource, as every response of the API shows it."""
        subresources = {"media": f"{self.uri}/Media.json"}
        if self.provide_feedback:
            subresources["feedback"] = f"{self.uri}/Feedback.json"
        return {
            "body": self.body,
            "num_segments": str(self.segments),
            "direction": self.direction,
            "from": self.sender,
            "date_updated": twilio_date(self.updated),
            "price": self.price,
            "error_message": self.error_message,
            "uri": f"{self.uri}.json",
            "account_sid": self.account_sid,
            "num_media": str(len(self.media)),
            "to": _obfuscate(self.to) if self.obfuscates_address else self.to,
            "date_created": twilio_date(self.created),
            "status": self.status,
            "sid": self.sid,
            "date_sent": twilio_date(self.sent),
            "messaging_service_sid": self.messaging_service_sid,
            "error_code": self.error_code,
            "price_unit": "USD" if self.sent else None,
            "api_version": API_VERSION,
            "subresource_uris": subresources,
        }

    def media_representation(self, media: Media) -> dict[str, Any]:
        """Return one of its media resources."""
        return {
            "sid": media.sid,
            "account_sid": self.account_sid,
            "parent_sid": self.sid,
            "content_type": media.content_type,
            "date_created": twilio_date(media.created),
            "date_updated": twilio_date(media.created),
            "uri": f"{self.uri}/Media/{media.sid}.json",
        }


def twilio_date(seconds: float | None) -> str | None:
    """Return a date such as ``Thu, 24 Aug 2023 05:01:45 +0000``: whole seconds, always UTC."""
    return None if seconds is None else _rfc_2822(int(seconds))


@lru_cache(maxsize=1024)  # a long list shows the same few seconds again and again
def _rfc_2822(seconds: int) -> str:
    return formatdate(seconds).replace("-0000", "+0000")


def _obfuscate(address: str) -> str:
    """Return an address without its last four digits, as ``AddressRetention=obfuscate`` leaves it."""
    return address[:-4] + "XXXX"
