"""The parameters of Twilio's webhooks: those of an inbound message and of a status callback."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import md5
from typing import TYPE_CHECKING

from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.message import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.emulator.model.message import Message

Parameters = tuple[tuple[str, str], ...]


def inbound_parameters(message: Message, base_url: str, more: Mapping[str, str]) -> Parameters:
    """Return the parameters of an inbound message; ``more`` adds some (``ProfileName``) or replaces them."""
    places = {
        f"{side}{part}": ""
        for side, address in (("From", message.sender or ""), ("To", message.to))
        if addresses.is_number(address)
        for part in ("City", "State", "Zip")
    }
    countries = {
        f"{side}Country": "US"
        for side, address in (("From", message.sender or ""), ("To", message.to))
        if address.startswith("+1")
    }
    channel = addresses.channel_of(message.sender or "")
    found = {
        **places,
        **countries,
        "SmsMessageSid": message.sid,
        "NumMedia": str(len(message.media)),
        "SmsSid": message.sid,
        "SmsStatus": "received",
        "Body": message.body,
        "To": message.to,
        "NumSegments": str(message.segments),
        "MessageSid": message.sid,
        "AccountSid": message.account_sid,
        "From": message.sender or "",
        "ApiVersion": API_VERSION,
    }
    if message.messaging_service_sid:
        found["MessagingServiceSid"] = message.messaging_service_sid
    if channel == "whatsapp":
        username = addresses.username_of(message.sender or "")
        if username is None:
            found["WaId"] = (message.sender or "").removeprefix("whatsapp:+")
        else:
            found["ExternalUserId"] = username
    for index, media in enumerate(message.media):
        found[f"MediaUrl{index}"] = f"{base_url}{message.uri}/Media/{media.sid}"
        found[f"MediaContentType{index}"] = media.content_type
    return tuple((found | dict(more)).items())


def status_parameters(message: Message) -> Parameters:
    """Return the parameters of a status callback."""
    found = {
        "ApiVersion": API_VERSION,
        "MessageStatus": message.status,
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "To": message.to,
        "From": message.sender or "",
        "MessageSid": message.sid,
        "AccountSid": message.account_sid,
    }
    if message.messaging_service_sid:
        found["MessagingServiceSid"] = message.messaging_service_sid
    if message.error_code is not None:
        found["ErrorCode"] = str(message.error_code)
        found["ErrorMessage"] = message.error_message or ""
    if message.status in ("delivered", "undelivered"):
        # The carrier's own note of the time: YYMMDDhhmm.
        found["RawDlrDoneDate"] = datetime.fromtimestamp(message.updated, UTC).strftime("%y%m%d%H%M")
    channel = addresses.channel_of(message.to)
    if channel is not None:
        found |= _channel_status(message, channel)
    return tuple(found.items())


def _channel_status(message: Message, channel: str) -> dict[str, str]:
    """Return what a status callback has for a message of WhatsApp or another channel."""
    found = {
        "ChannelPrefix": channel,
        "ChannelInstallSid": f"XE{md5((message.sender or '').encode(), usedforsecurity=False).hexdigest()}",
        "ChannelToAddress": addresses.mask(addresses.strip_channel(message.to)),
        "StructuredMessage": "false",
    }
    if message.status == "read":
        found["EventType"] = "READ"
    if message.error_message:
        found["ChannelStatusMessage"] = message.error_message
    return found
