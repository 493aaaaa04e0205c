"""Which messages a list shows: ``To``, ``From``, and ``DateSent`` with its two inequalities."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from twilio_component.emulator.errors import ApiError

if TYPE_CHECKING:
    from twilio_component.emulator.http import Fields
    from twilio_component.emulator.model.message import Message

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """``sent_from`` is included and ``sent_until`` excluded, both in seconds since 1970."""

    to: str | None
    sender: str | None
    sent_from: float | None
    sent_until: float | None

    @classmethod
    def parse(cls, arguments: Fields) -> MessageFilter:
        """Read the filters; `ApiError` 20001 for an invalid date.

        ``DateSent`` means the whole day (UTC) even where it carries a time of day, as the official libraries send
        it; the inequalities mean days too, or seconds where a time of day is given. Both ends are included.
        """
        day, until, since = (_date(arguments, name) for name in ("DateSent", "DateSent<", "DateSent>"))
        starts = [since[0]] if since else []
        ends = [until[0] + (_DAY if until[1] else timedelta(seconds=1))] if until else []
        if day:
            midnight = day[0].replace(hour=0, minute=0, second=0, microsecond=0)
            starts.append(midnight)
            ends.append(midnight + _DAY)
        return cls(
            arguments.get("To") or None,
            arguments.get("From") or None,
            max(starts).timestamp() if starts else None,
            min(ends).timestamp() if ends else None,
        )

    def matches(self, message: Message) -> bool:
        """Return whether the list shows ``message``. A message without a date of sending matches no date filter."""
        if self.to is not None and message.to != self.to:
            return False
        if self.sender is not None and message.sender != self.sender:
            return False
        if self.sent_from is None and self.sent_until is None:
            return True
        if message.sent is None:
            return False
        sent = int(message.sent)
        return (self.sent_from is None or sent >= self.sent_from) and (
            self.sent_until is None or sent < self.sent_until
        )


def _date(arguments: Fields, name: str) -> tuple[datetime, bool] | None:
    """Return a date and whether it is a bare day. Without an offset it is UTC."""
    text = arguments.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(
            20001, name=name, reason="a date such as 2026-01-31 or 2026-01-31T12:00:00Z is allowed"
        ) from None
    bare_day = len(text) == len("2026-01-31")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)), bare_day
