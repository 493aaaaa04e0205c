"""How a message lives: accepted, queued, sending, sent, delivered, each at its time on the clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.message import Message


@dataclass(slots=True)
class Pace:
    """Seconds that a message spends in each state before it enters the next."""

    accepted: float = 0.2
    queued: float = 0.3
    sending: float = 0.5
    sent: float = 1.0


class Life:
    """Moves messages through their states."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.pace = Pace()

    def begin(self, message: Message) -> None:
        """Let the life of a message that was just created take its course."""
        if message.status == "scheduled" and message.send_at is not None:
            self._after(message.send_at - self._clock.now(), message, "queued")
        elif message.status == "accepted":
            self._after(self.pace.accepted, message, "queued")
        else:
            self._after(self.pace.queued, message, "sending")

    def _after(self, seconds: float, message: Message, status: str) -> None:
        expected = message.status
        self._clock.schedule(seconds, lambda: self._enter(message, expected, status))

    def _enter(self, message: Message, expected: str, status: str) -> None:
        if message.status != expected:
            return
        now = self._clock.now()
        message.become(status, now)
        if status == "queued":
            self._after(self.pace.queued, message, "sending")
        elif status == "sending":
            self._after(self.pace.sending, message, "sent")
        elif status == "sent":
            message.sent = now
            if message.discards_content:
                message.body = ""
            self._after(self.pace.sent, message, "delivered")
