"""Dates as inputs."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def clean_date_time(value: str, _inputs: Mapping[str, Any]) -> str:
    """Return a date and time in UTC, such as ``2026-01-31T12:00:00Z``.

    Raises ``ValueError`` for anything else, and for a time without a time zone, which is ambiguous.
    """
    try:
        moment = dt.datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise ValueError("must be a date and time such as 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00") from error
    if moment.tzinfo is None:
        raise ValueError("must include a time zone: add Z for UTC or an offset such as +01:00")
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def clean_day(value: str, _inputs: Mapping[str, Any]) -> str:
    """Return a date such as ``2026-01-31``; raises ``ValueError`` for anything else."""
    try:
        return f"{dt.date.fromisoformat(value.strip()):%Y-%m-%d}"
    except ValueError as error:
        raise ValueError("must be a date such as 2026-01-31") from error


def clean_day_or_time(value: str, inputs: Mapping[str, Any]) -> str:
    """Return a date (in UTC) or a date and time, as Twilio's ``DateSent`` filters take them; raises ``ValueError``."""
    return clean_day(value, inputs) if _DAY.fullmatch(value.strip()) else clean_date_time(value, inputs)
