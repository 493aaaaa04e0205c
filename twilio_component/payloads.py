"""Twilio's resources as the component returns them: camel case, documented order, ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from twilio_component.dates import iso_from_rfc_2822

# The documented payload, key by key, and Twilio's names for them.
_MESSAGE = {
    "account_sid": "accountSid",
    "api_version": "apiVersion",
    "body": "body",
    "date_created": "dateCreated",
    "date_sent": "dateSent",
    "date_updated": "dateUpdated",
    "direction": "direction",
    "error_code": "errorCode",
    "error_message": "errorMessage",
    "from": "from",
    "messaging_service_sid": "messagingServiceSid",
    "num_media": "numMedia",
    "num_segments": "numSegments",
    "price": "price",
    "price_unit": "priceUnit",
    "sid": "sid",
    "status": "status",
    "subresource_uris": "subresourceUris",
    "to": "to",
    "uri": "uri",
}
_DATES = ("dateCreated", "dateSent", "dateUpdated")


def message(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Twilio's message as the documented payload; keys that Twilio adds tomorrow follow the known ones."""
    payload = {ours: resource.get(theirs) for theirs, ours in _MESSAGE.items()}
    for name in _DATES:
        payload[name] = iso_from_rfc_2822(payload[name])
    if len(resource) > len(_MESSAGE) or not resource.keys() <= _MESSAGE.keys():
        payload.update({_camel(key): value for key, value in resource.items() if key not in _MESSAGE})
    return payload


def resource(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Any other resource of Twilio's: its keys in camel case and alphabetical order, its dates as ISO 8601."""
    named = {_camel(key): value for key, value in sorted(fields.items())}
    return {key: iso_from_rfc_2822(value) if key in _DATES else value for key, value in named.items()}


@lru_cache(maxsize=256)
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
