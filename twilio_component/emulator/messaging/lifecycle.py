"""How a message lives: accepted, queued, sending, sent, delivered, each at its time on the clock."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Unpack

from twilio_component.emulator.rules import MessageConditions, Rule, Subject
from twilio_component.twilio.segments import segment

if TYPE_CHECKING:
    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.model.message import Message

    Listener = Callable[[Message], Awaitable[None] | None]

Ending = Literal["delivered", "undelivered", "failed", "sent", "read"]

# Twilio's words for the codes of messages that did not arrive.
DELIVERY_ERRORS = {
    21610: "Attempt to send to unsubscribed recipient",
    30001: "Queue overflow",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30034: "US A2P 10DLC - Message from an Unregistered Number",
    30036: "Validity Period Expired",
    63003: "Channel could not find To address",
    63016: "Outside the allowed window for free-form messages; use a template",
    63024: "Invalid message recipient",
}
_EXPIRED = 30036


@dataclass(slots=True)
class Pace:
    """Seconds that a message spends in each state before it enters the next."""

    accepted: float = 0.2
    queued: float = 0.3
    sending: float = 0.5
    sent: float = 1.0
    delivered: float = 1.0


@dataclass(eq=False, slots=True)
class Fate:
    """How messages end that ``rule`` applies to, with which of Twilio's codes, and how many seconds late."""

    number: int
    ending: Ending
    code: int | None
    rule: Rule
    delay: float = 0.0


class Life:
    """Moves messages through their states, and decides who fails.

    ``pace`` is how fast; every change is told to ``listeners``.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.pace = Pace()
        self.fates: list[Fate] = []
        self._numbers = itertools.count(1)
        self.listeners: list[Listener] = []

    def fail(self, code: int = 30008, *, times: int | None = None, **conditions: Unpack[MessageConditions]) -> Fate:
        """Messages that the conditions (see `Rule`) fit end as ``failed``: they are never sent."""
        return self.end_as("failed", code, times=times, **conditions)

    def undeliver(
        self, code: int = 30003, *, times: int | None = None, **conditions: Unpack[MessageConditions]
    ) -> Fate:
        """Messages that the conditions fit are sent and end as ``undelivered``."""
        return self.end_as("undelivered", code, times=times, **conditions)

    def read(self, *, times: int | None = None, **conditions: Unpack[MessageConditions]) -> Fate:
        """Messages that the conditions fit are delivered and then read, as WhatsApp tells."""
        return self.end_as("read", None, times=times, **conditions)

    def never_confirm(self, *, times: int | None = None, **conditions: Unpack[MessageConditions]) -> Fate:
        """Messages that the conditions fit stay ``sent``: the carrier never says what became of them."""
        return self.end_as("sent", None, times=times, **conditions)

    def delay(self, seconds: float, *, times: int | None = None, **conditions: Unpack[MessageConditions]) -> Fate:
        """Messages that the conditions fit are delivered, so many seconds later than others."""
        return self.end_as("delivered", None, delay=seconds, times=times, **conditions)

    def end_as(
        self,
        ending: Ending,
        code: int | None,
        *,
        delay: float = 0.0,
        times: int | None = None,
        **conditions: Unpack[MessageConditions],
    ) -> Fate:
        """Decide how messages end that the conditions fit, ``delay`` seconds late.

        The fate that was decided last goes first.
        """
        fate = Fate(next(self._numbers), ending, code, Rule(times=times, **conditions), delay)
        self.fates.insert(0, fate)
        return fate

    def begin(self, message: Message) -> None:
        """Let the life of a message that was just created take its course."""
        subject = Subject(None, message.to, message.sender, message.body)
        fate = next((one for one in self.fates if one.rule.applies_to(subject)), None)
        course = _Course(message, fate.ending, fate.code, fate.delay) if fate else _Course(message, "delivered", None)
        if message.status == "scheduled" and message.send_at is not None:
            self._after(message.send_at - self._clock.now(), course, "queued")
        elif message.status == "accepted":
            self._after(self.pace.accepted, course, "queued")
        else:
            self._leave_queue(course)

    def cancel(self, message: Message) -> None:
        """Let a scheduled message never be sent."""
        message.become("canceled", self._clock.now())
        self._clock.schedule(0, lambda: self._announce(message))

    def _announce(self, message: Message) -> Awaitable[None] | None:
        """Tell the listeners that a message has changed."""
        waits = [one for one in (listener(message) for listener in self.listeners) if one is not None]
        return _all(waits) if waits else None

    def _after(self, seconds: float, course: _Course, status: str) -> None:
        expected = course.message.status
        self._clock.schedule(seconds, lambda: self._enter(course, expected, status))

    def _leave_queue(self, course: _Course) -> None:
        message, waits = course.message, self.pace.queued
        if message.validity_period is not None and message.validity_period < waits:
            course.code = _EXPIRED
            self._after(message.validity_period, course, "failed")
        elif course.ending == "failed":
            self._after(waits + course.delay, course, "failed")
        else:
            self._after(waits, course, "sending")

    def _enter(self, course: _Course, expected: str, status: str) -> Awaitable[None] | None:
        message = course.message
        if message.status != expected:
            return None
        now = self._clock.now()
        message.become(status, now)
        if status in ("failed", "undelivered"):
            message.error_code = course.code
            message.error_message = DELIVERY_ERRORS.get(course.code or 0, "Unknown error")
        elif status == "queued":
            message.sender = message.sender or message.chosen_sender
            message.segments = segment(message.body).segments or 1
            self._leave_queue(course)
        elif status == "sending":
            self._after(self.pace.sending, course, "sent")
        elif status == "sent":
            self._sent(course, now)
        elif status == "delivered" and course.ending == "read":
            self._after(self.pace.delivered, course, "read")
        return self._announce(message)

    def _sent(self, course: _Course, now: float) -> None:
        course.message.sent = now
        if course.message.discards_content:
            course.message.body = ""
        if course.ending != "sent":
            ending = "undelivered" if course.ending == "undelivered" else "delivered"
            self._after(self.pace.sent + course.delay, course, ending)


@dataclass(slots=True)
class _Course:
    """What lies before one message."""

    message: Message
    ending: Ending
    code: int | None
    delay: float = 0.0


async def _all(waits: list[Awaitable[None]]) -> None:
    for one in waits:
        await one
