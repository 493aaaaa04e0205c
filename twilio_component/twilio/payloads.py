"""Twilio's resources as the component returns them: camelCase keys in the documented order, dates as ISO 8601."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from twilio_component.host.serialization import iso_time

_Value = TypeVar("_Value")

# The fields of the documented payload by Twilio's names, in the payload's order.
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
_MONTHS = {
    name: f"{number:02d}"
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}
_RFC_2822_LENGTH = len("Thu, 24 Aug 2023 05:01:45 +0000")


def iso_from_rfc_2822(value: str | None) -> str | None:
    """Return one of Twilio's dates as ISO 8601 with milliseconds; anything that is not a date stays as it is."""
    if value is None:
        return None
    # The one form that Twilio uses, cut by position: a list of messages has three dates each, most of the same day.
    if len(value) == _RFC_2822_LENGTH and value[25:] == " +0000" and (day := _iso_day(value[5:16])):
        return f"{day}T{value[17:25]}.000Z"
    try:
        return iso_time(parsedate_to_datetime(value))
    except ValueError:
        return value


@lru_cache(maxsize=64)
def _iso_day(text: str) -> str:
    """``24 Aug 2023`` as ``2023-08-24``; empty for anything else."""
    day, month, year = text[:2], text[3:6], text[7:]
    return f"{year}-{_MONTHS[month]}-{day}" if month in _MONTHS and (day + year).isdigit() else ""


@lru_cache(maxsize=4096)
def _intern(value: _Value) -> _Value:
    """Return one object for equal values, since the messages of a long list have most values in common."""
    return value


_date = lru_cache(maxsize=4096)(iso_from_rfc_2822)


def message(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message of Twilio's as the documented payload; keys that Twilio adds later follow the known ones."""
    try:
        return _message(resource, _fields(resource), more=len(resource) > len(_NAMES))
    except KeyError:
        return _message(resource, _fields({**_ABSENT, **resource}), more=True)


def _message(resource: Mapping[str, Any], fields: tuple[Any, ...], *, more: bool) -> dict[str, Any]:
    # Written out, since a list may have a hundred thousand messages: a loop over the names takes four times as long.
    (
        account, version, body, created, sent, updated, direction, code, error, sender,
        service, media, segments, price, unit, sid, status, subresources, recipient, uri,
    ) = fields  # fmt: skip
    payload = {
        "accountSid": _intern(account),
        "apiVersion": _intern(version),
        "body": body,
        "dateCreated": _date(created),
        "dateSent": _date(sent),
        "dateUpdated": _date(updated),
        "direction": _intern(direction),
        "errorCode": code,
        "errorMessage": _intern(error),
        "from": _intern(sender),
        "messagingServiceSid": _intern(service),
        "numMedia": media,
        "numSegments": segments,
        "price": _intern(price),
        "priceUnit": _intern(unit),
        "sid": sid,
        "status": _intern(status),
        "subresourceUris": subresources,
        "to": _intern(recipient),
        "uri": uri,
    }
    if more:
        payload.update({_camel(key): value for key, value in resource.items() if key not in _ABSENT})
    return payload


def message_hook(found: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of a complete message, and any other object of a list page as it is: an ``object_hook``.

    Converting while the page is parsed lets each payload replace its resource at once. A thousand resources that live
    until the page is complete cost more, most of it in the garbage collector.
    """
    if len(found) < len(_NAMES):
        return found
    try:
        fields = _fields(found)
    except KeyError:
        return found
    return _message(found, fields, more=len(found) > len(_NAMES))


def listed_message(item: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of an item of a list page that was parsed with ``message_hook``."""
    return item if "accountSid" in item else message(item)


def resource(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return any other resource of Twilio's with camelCase keys in alphabetical order and dates as ISO 8601."""
    payload = {_camel(key): value for key, value in sorted(fields.items())}
    return {key: iso_from_rfc_2822(value) if key in _DATES else value for key, value in payload.items()}


def nested_resource(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource of Twilio's later APIs in Twilio's order, with camelCase keys at every depth.

    These APIs have dates as ISO 8601; they get milliseconds, as all dates of payloads do.
    """
    return {_camel(key): _payload_value(value, key) for key, value in fields.items()}


def _payload_value(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return nested_resource(value)
    if isinstance(value, list):
        return [_payload_value(item, "") for item in value]
    if name.startswith("date_") and isinstance(value, str):
        try:
            return iso_time(dt.datetime.fromisoformat(value))
        except ValueError:
            return value
    return value


@lru_cache(maxsize=256)
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
