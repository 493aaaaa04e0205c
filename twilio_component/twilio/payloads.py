"""Twilio's resources as the component returns them: camel case, documented order, ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from twilio_component.twilio.inputs.dates import iso_from_rfc_2822

_Value = TypeVar("_Value")

# Twilio's names of what the documented payload has, in the payload's order.
_NAMES = (
    "account_sid",
    "api_version",
    "body",
    "date_created",
    "date_sent",
    "date_updated",
    "direction",
    "error_code",
    "error_message",
    "from",
    "messaging_service_sid",
    "num_media",
    "num_segments",
    "price",
    "price_unit",
    "sid",
    "status",
    "subresource_uris",
    "to",
    "uri",
)
_ABSENT = dict.fromkeys(_NAMES)
_fields = itemgetter(*_NAMES)
_DATES = ("dateCreated", "dateSent", "dateUpdated")


@lru_cache(maxsize=4096)
def _shared(value: _Value) -> _Value:
    """The same object for equal values: the messages of a long list have most of theirs in common."""
    return value


_date = lru_cache(maxsize=4096)(iso_from_rfc_2822)


def message(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Twilio's message as the documented payload; keys that Twilio adds tomorrow follow the known ones."""
    try:
        return _message(resource, _fields(resource), more=len(resource) > len(_NAMES))
    except KeyError:
        return _message(resource, _fields({**_ABSENT, **resource}), more=True)


def _message(resource: Mapping[str, Any], fields: tuple[Any, ...], *, more: bool) -> dict[str, Any]:
    # Spelt out, since a list may have a hundred thousand: a loop over the names takes four times as long.
    (
        account, version, body, created, sent, updated, direction, code, error, sender,
        service, media, segments, price, unit, sid, status, subresources, recipient, uri,
    ) = fields  # fmt: skip
    payload = {
        "accountSid": _shared(account),
        "apiVersion": _shared(version),
        "body": body,
        "dateCreated": _date(created),
        "dateSent": _date(sent),
        "dateUpdated": _date(updated),
        "direction": _shared(direction),
        "errorCode": code,
        "errorMessage": _shared(error),
        "from": _shared(sender),
        "messagingServiceSid": _shared(service),
        "numMedia": media,
        "numSegments": segments,
        "price": _shared(price),
        "priceUnit": _shared(unit),
        "sid": sid,
        "status": _shared(status),
        "subresourceUris": subresources,
        "to": _shared(recipient),
        "uri": uri,
    }
    if more:
        payload.update({_camel(key): value for key, value in resource.items() if key not in _ABSENT})
    return payload


def message_while_read(found: dict[str, Any]) -> dict[str, Any]:
    """Whatever object a list page has: a complete message as its payload, anything else as it is.

    Made while the page is read, a payload takes the place of its resource at once: a thousand resources that live until
    the page is complete cost more, most of it in the garbage collector.
    """
    if len(found) < len(_NAMES):
        return found
    try:
        fields = _fields(found)
    except KeyError:
        return found
    return _message(found, fields, more=len(found) > len(_NAMES))


def listed_message(item: dict[str, Any]) -> dict[str, Any]:
    """The payload of an item of a list page that was read so."""
    return item if "accountSid" in item else message(item)


def resource(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Any other resource of Twilio's: its keys in camel case and alphabetical order, its dates as ISO 8601."""
    named = {_camel(key): value for key, value in sorted(fields.items())}
    return {key: iso_from_rfc_2822(value) if key in _DATES else value for key, value in named.items()}


@lru_cache(maxsize=256)
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
