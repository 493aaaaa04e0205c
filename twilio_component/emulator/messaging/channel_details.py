"""What an inbound message of a channel has beside its text: buttons, lists, places, quotes, adverts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

from twilio_component.emulator.model import addresses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.model.message import Message


class ChannelDetails(TypedDict, total=False):
    """The details that `channel_parameters` turns into parameters of the webhook.

    ``button``: ``text`` and ``payload`` of a quick reply. ``list_item``: ``id`` and ``title`` of what was picked from a
    list. ``location``: ``latitude``, ``longitude``, ``address`` and ``label``. ``replied_to``: the SID of the message
    that this one quotes. ``referral``: ``body``, ``headline``, ``source_id``, ``source_type``, ``source_url``,
    ``media_url`` and ``ctwa_clid`` of the advert that led here.
    """

    profile_name: str
    button: Mapping[str, str]
    list_item: Mapping[str, str]
    location: Mapping[str, str | float]
    replied_to: str
    referral: Mapping[str, str]
    forwarded: bool
    frequently_forwarded: bool


_PARAMETERS = {
    "button": {"text": "ButtonText", "payload": "ButtonPayload"},
    "list_item": {"id": "ListId", "title": "ListTitle"},
    "location": {"latitude": "Latitude", "longitude": "Longitude", "address": "Address", "label": "Label"},
    "referral": {
        "body": "ReferralBody",
        "headline": "ReferralHeadline",
        "source_id": "ReferralSourceId",
        "source_type": "ReferralSourceType",
        "source_url": "ReferralSourceUrl",
        "media_url": "ReferralMediaUrl",
        "ctwa_clid": "ReferralCtwaClid",
    },
}
# The message types of WhatsApp that the details decide, the first that is given.
_TYPES = {"button": "button", "list_item": "interactive", "location": "location"}


def text_of_details(details: ChannelDetails) -> str:
    """Return the text that a message has when only a button or an item of a list was chosen."""
    return details.get("button", {}).get("text") or details.get("list_item", {}).get("title") or ""


def channel_parameters(account: Account, message: Message, details: ChannelDetails) -> dict[str, str]:
    """Return the parameters for the details of an inbound message; WhatsApp's have some in any case.

    Raises ValueError for details of a message that came as SMS, and for a key that a detail does not have.
    """
    channel = addresses.channel_of(message.sender or "")
    if channel is None:
        if details:
            raise ValueError(f"an SMS has no {', '.join(sorted(details))}: write from an address such as whatsapp:+1…")
        return {}
    found = _detail_parameters(details)
    if "replied_to" in details:
        found["OriginalRepliedMessageSid"] = details["replied_to"]
        quoted = account.messages.get(details["replied_to"])
        if quoted is not None and quoted.sender is not None:
            found["OriginalRepliedMessageSender"] = quoted.sender
    for name, parameter in (("forwarded", "Forwarded"), ("frequently_forwarded", "FrequentlyForwarded")):
        if details.get(name):
            found[parameter] = "true"
    if "profile_name" in details:
        found["ProfileName"] = details["profile_name"]
    if channel == "whatsapp":
        found["MessageType"] = _message_type(message, details)
        found["ChannelMetadata"] = _metadata(message, details)
    return found


def _detail_parameters(details: ChannelDetails) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, parameters in _PARAMETERS.items():
        given: Mapping[str, object] = details.get(name) or {}  # type: ignore[assignment]  # each detail has its own type
        unknown = given.keys() - parameters.keys()
        if unknown:
            raise ValueError(f"{name} has no {', '.join(sorted(unknown))}; it has {', '.join(parameters)}")
        found |= {parameters[key]: str(value) for key, value in given.items()}
    return found


def _message_type(message: Message, details: ChannelDetails) -> str:
    chosen = next((kind for name, kind in _TYPES.items() if name in details), None)
    if chosen is not None:
        return chosen
    if not message.media:
        return "text"
    kind = message.media[0].content_type.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"


def _metadata(message: Message, details: ChannelDetails) -> str:
    username = addresses.username_of(message.sender or "")
    number = addresses.strip_channel(message.sender or "").removeprefix("+")
    person = {"ExternalUserId": username} if username else {"WaId": number}
    context = {"ProfileName": details.get("profile_name", ""), **person}
    return json.dumps({"type": "whatsapp", "data": {"context": context}}, separators=(",", ":"))
