"""Whether a host may ask Twilio for status callbacks about a message, beside those that the user has asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A message's own StatusCallback is used instead of the one of its messaging service or of its application.
_OWNERS = ("messagingServiceSid", "applicationSid")


def may_ask_for_callback(inputs: Mapping[str, Any]) -> bool:
    """Return whether a callback of the host's own replaces no other, and its signature can be verified.

    Twilio signs the callbacks of a message with the Auth Token of the account that sends it, or with a webhook shared
    key.
    """
    if any(inputs.get(name) for name in _OWNERS):
        return False
    connection = inputs.get("twilioConnection")
    fields = connection.get("fields") if isinstance(connection, Mapping) else None
    if not isinstance(connection, Mapping) or not isinstance(fields, Mapping):
        return False
    if fields.get("sharedKeys") or fields.get("authToken"):
        return True
    # The token of an account verifies nothing of its sub-accounts.
    return connection.get("key") == "basic" and fields.get("accountSid") in (None, "", fields.get("username"))
