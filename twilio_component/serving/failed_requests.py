"""What a log says of an error that kept a request from starting its flow."""

from __future__ import annotations

import traceback

from twilio_component.host.errors import IntegrationError


def failure_code(error: Exception) -> str:
    """Return the code by which refused requests are counted."""
    return error.code if isinstance(error, IntegrationError) else "unexpected-error"


def describe_failure(error: Exception) -> str:
    """Return one line: the message of our own errors, and of others only the type and the place.

    Their text may repeat what somebody wrote.
    """
    if isinstance(error, IntegrationError):
        return "; ".join(line.strip() for line in str(error).splitlines())
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}; --log-level debug shows the traceback"
