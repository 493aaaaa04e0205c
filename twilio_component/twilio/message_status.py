"""The statuses of a message, by Twilio's names."""

from __future__ import annotations

FINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "read", "received"})
"""The statuses that no other follows, except that ``read`` may follow ``delivered``."""

PROGRESS = {
    "accepted": 0,
    "scheduled": 0,
    "queued": 1,
    "sending": 2,
    "sent": 3,
    "failed": 4,
    "undelivered": 4,
    "canceled": 4,
    "delivered": 4,
    "partially_delivered": 4,
    "read": 5,
}
"""How far an outbound message has come; a status with a lower number than an earlier one is late."""
