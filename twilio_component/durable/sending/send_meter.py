"""What the observer is told of sends: how long each waited for what, and how it ended. Senders go by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from twilio_component.durable.sending.intents import UNKNOWN

if TYPE_CHECKING:
    from twilio_component.durable.clock import Clock
    from twilio_component.durable.observation import Observer
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intents import CallIdentity, EndedHold, Intent
    from twilio_component.durable.store.journal import JournalEntry

UNNAMED = "unnamed"
"""The name of every sender to which the configuration gives none."""


class SendMeter:
    """Tells the observer. ``names`` are those of senders by what requests call them."""

    def __init__(self, observer: Observer, names: Mapping[str, str], clock: Clock) -> None:
        self._observer = observer
        self._names = names
        self._clock = clock

    def wait(self, reason: str, *, since: float) -> float:
        """Tell that a call has waited for this reason since then; the time now. Both are by the monotonic clock."""
        now = self._clock.monotonic()
        self._observer.send_waited(reason, now - since)
        return now

    def end_hold(self, ended: EndedHold | None) -> None:
        """Tell for how long a call was held, if its hold has ended: also without a process, and in others."""
        if ended is not None:
            self._observer.send_waited(ended.kind, ended.seconds)

    def write(self, call: CallIdentity) -> None:
        """Tell that a request is written now."""
        self._observer.request_begins(call.run)

    def throttle(self, guarded: GuardedCall, code: str) -> None:
        """Tell that a request was refused, unprocessed, and comes again."""
        self._observer.send_ended(self._name(guarded), "throttled", code)

    def end(self, guarded: GuardedCall, entry: JournalEntry | None, intent: Intent, *, reconciled: bool) -> None:
        """Tell how a call ended: with this ``entry``, or else as it was found by reconciliation in this process."""
        name = self._name(guarded)
        if entry is None:
            if reconciled:
                outcome = ("unknown", "outcome-unknown") if intent.state == UNKNOWN else ("found", "")
                self._observer.send_ended(name, *outcome)
            return
        failure = entry.value.get("failure")
        if failure is None:
            self._observer.send_ended(name, "sent", "")
        else:
            self._observer.send_ended(name, "failed", failure.get("reason") or failure["code"])

    def _name(self, guarded: GuardedCall) -> str:
        return self._names.get(guarded.sender, UNNAMED)
