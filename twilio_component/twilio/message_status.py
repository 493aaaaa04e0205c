"""The states of a message, in Twilio's words."""

from __future__ import annotations

FINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "read", "received"})
"""Nothing follows, except that ``read`` may follow ``delivered``."""

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
"""How far a message that is sent has come."""
