"""Times as people and programs read them."""

from __future__ import annotations

import datetime as dt

from twilio_component.host.serialization import iso_time


def format_time(seconds: float | None) -> str | None:
    """The ISO 8601 time of a time in seconds since 1970; None for None."""
    return None if seconds is None else iso_time(dt.datetime.fromtimestamp(seconds, dt.UTC))
