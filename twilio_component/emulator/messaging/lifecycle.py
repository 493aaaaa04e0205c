"""The lifecycle of a message: accepted, queued, sending, sent, delivered, each at its time on the clock."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Unpack

from twilio_component.emulator.errors import check_code
from twilio_component.emulator.rules import MessageConditions, Rule, Subject
from twilio_component.twilio.segments import segment

if TYPE_CHECKING:
    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.model.message import Message
    from twilio_component.emulator.model.message_log import MessageLog

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
class StateDurations:
    """Seconds that a message spends in each state before it enters the next."""

    accepted: float = 0.2
    queued: float = 0.3
    sending: float = 0.5
    sent: float = 1.0
    delivered: float = 1.0


@dataclass(eq=False, slots=True)
class DeliveryRule:
    """How the messages that ``rule`` applies to end, with which of Twilio's codes, and how many seconds late."""

    number: int
    ending: Ending
    code: int | None
    rule: Rule
    delay: float = 0.0


class MessageLifecycle:
    """Moves messages through their states, and decides which of them fail.

    ``durations`` is how long a message stays in each state. Every new status is reported to ``listeners``, which may
    return something to wait for.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.durations = StateDurations()
        self.rules: list[DeliveryRule] = []
        self._numbers = itertools.count(1)
        self.listeners: list[Listener] = []

    def fail(
        self, code: int = 30008, *, times: int | None = None, **conditions: Unpack[MessageConditions]
    ) -> DeliveryRule:
        """Messages that the conditions (see `Rule`) fit end as ``failed``: they are never sent."""
        return self.add_rule("failed", code, times=times, **conditions)

    def undeliver(
        self, code: int = 30003, *, times: int | None = None, **conditions: Unpack[MessageConditions]
    ) -> DeliveryRule:
        """Messages that the conditions fit are sent and end as ``undelivered``."""
        return self.add_rule("undelivered", code, times=times, **conditions)

    def read(self, *, times: int | None = None, **conditions: Unpack[MessageConditions]) -> DeliveryRule:
        """Messages that the conditions fit are delivered and then read, as WhatsApp tells."""
        return self.add_rule("read", None, times=times, **conditions)

    def never_confirm(self, *, times: int | None = None, **conditions: Unpack[MessageConditions]) -> DeliveryRule:
        """Messages that the conditions fit stay ``sent``: the carrier never reports an outcome."""
        return self.add_rule("sent", None, times=times, **conditions)

    def delay(
        self, seconds: float, *, times: int | None = None, **conditions: Unpack[MessageConditions]
    ) -> DeliveryRule:
        """Messages that the conditions fit are delivered, so many seconds later than others."""
        return self.add_rule("delivered", None, delay=seconds, times=times, **conditions)

    def add_rule(
        self,
        ending: Ending,
        code: int | None,
        *,
        delay: float = 0.0,
        times: int | None = None,
        **conditions: Unpack[MessageConditions],
    ) -> DeliveryRule:
        """Decide how the messages that the conditions fit end, ``delay`` seconds late.

        The rule that was added last applies first. Raises ValueError where no message could ever fit: for a recipient
        or sender that is not written as Twilio keeps it, and for a code that the ending cannot have.
        """
        if (code is not None) != (ending in ("failed", "undelivered")):
            raise ValueError(f"a message that ends as {ending} has {'a code' if code is None else 'no code'}")
        if code is not None:
            check_code(code)
        if not delay >= 0:
            raise ValueError(f"a message is late by 0 seconds or more, not by {delay:g}")
        added = DeliveryRule(next(self._numbers), ending, code, Rule(times=times, **conditions), delay)
        self.rules.insert(0, added)
        return added

    def begin(self, message: Message, log: MessageLog, *, failure: int | None = None) -> None:
        """Start the lifecycle of a message that was just added to ``log``.

        ``failure`` is the code with which it fails as soon as it is processed, whatever the delivery rules say.
        """
        subject = Subject(None, message.to, message.sender, message.body)
        rule = next((one for one in self.rules if one.rule.applies_to(subject)), None)
        delivery = _Delivery(message, log, rule.ending, rule.code, rule.delay) if rule else _Delivery(message, log)
        if failure is not None:
            delivery = _Delivery(message, log, "failed", failure)
        if message.status == "scheduled" and message.send_at is not None:
            self._after(message.send_at - self._clock.now(), delivery, "queued")
        elif message.status == "accepted":
            self._after(self.durations.accepted, delivery, "queued")
        else:
            self._leave_queue(delivery)

    def resume(self, message: Message, log: MessageLog) -> None:
        """Continue with a message that was read from a file; one in a final status stays as it is."""
        delivery = _Delivery(message, log)
        if message.status == "sending":
            self._after(self.durations.sending, delivery, "sent")
        elif message.status == "sent":
            self._after(self.durations.sent, delivery, "delivered")
        elif message.status in ("scheduled", "accepted", "queued"):
            self.begin(message, log)

    def cancel(self, message: Message, log: MessageLog) -> None:
        """Cancel a scheduled message of ``log``, so that it is never sent."""
        message.become("canceled", self._clock.now())
        log.notify(message)
        self._clock.schedule(0, lambda: self._report_status(message))

    def _report_status(self, message: Message) -> Awaitable[None] | None:
        """Report the new status of a message to the listeners."""
        waits = [one for one in (listener(message) for listener in self.listeners) if one is not None]
        return _await_all(waits) if waits else None

    def _after(self, seconds: float, delivery: _Delivery, status: str) -> None:
        expected = delivery.message.status
        self._clock.schedule(seconds, lambda: self._enter(delivery, expected, status))

    def _leave_queue(self, delivery: _Delivery) -> None:
        message, waits = delivery.message, self.durations.queued
        if message.validity_period is not None and message.validity_period < waits:
            delivery.code = _EXPIRED
            self._after(message.validity_period, delivery, "failed")
        elif delivery.ending == "failed":
            self._after(waits + delivery.delay, delivery, "failed")
        else:
            self._after(waits, delivery, "sending")

    def _enter(self, delivery: _Delivery, expected: str, status: str) -> Awaitable[None] | None:
        message = delivery.message
        if message.status != expected:
            return None
        now = self._clock.now()
        message.become(status, now)
        if status in ("failed", "undelivered"):
            message.error_code = delivery.code
            message.error_message = DELIVERY_ERRORS.get(delivery.code or 0, "Unknown error")
        elif status == "queued":
            message.sender = message.sender or message.chosen_sender
            message.segments = segment(message.body).segments or 1
            self._leave_queue(delivery)
        elif status == "sending":
            self._after(self.durations.sending, delivery, "sent")
        elif status == "sent":
            self._finish_sending(delivery, now)
        elif status == "delivered" and delivery.ending == "read":
            self._after(self.durations.delivered, delivery, "read")
        delivery.log.notify(message)
        return self._report_status(message)

    def _finish_sending(self, delivery: _Delivery, now: float) -> None:
        delivery.message.sent = now
        if delivery.message.send_at is not None:
            delivery.log.bring_forward(delivery.message)
        if delivery.message.discards_content:
            delivery.message.body = ""
        if delivery.ending != "sent":
            ending = "undelivered" if delivery.ending == "undelivered" else "delivered"
            self._after(self.durations.sent + delivery.delay, delivery, ending)


@dataclass(slots=True)
class _Delivery:
    """How one message of ``log`` will end."""

    message: Message
    log: MessageLog
    ending: Ending = "delivered"
    code: int | None = None
    delay: float = 0.0


async def _await_all(waits: list[Awaitable[None]]) -> None:
    for one in waits:
        await one
