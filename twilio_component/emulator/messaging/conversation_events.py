"""Events of Conversations, as its webhooks report them. There are no conversations behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.emulator.model.messaging_service import iso_date
from twilio_component.emulator.model.sids import new_sid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.webhooks.parameters import Parameters

EVENT_TYPES = (
    "onConversationAdded",
    "onConversationUpdated",
    "onConversationRemoved",
    "onConversationStateUpdated",
    "onMessageAdded",
    "onMessageUpdated",
    "onMessageRemoved",
    "onParticipantAdded",
    "onParticipantUpdated",
    "onParticipantRemoved",
    "onDeliveryUpdated",
)


def conversation_parameters(account: Account, event_type: str, now: float, more: Mapping[str, str]) -> Parameters:
    """Return the parameters of an event; ``more`` adds some or replaces them, with Twilio's names.

    ``ConversationSid`` and ``MessageSid`` are new ones unless they are given: several events of one message have the
    same. Raises ValueError for an event that Conversations does not have.
    """
    if event_type not in EVENT_TYPES:
        raise ValueError(f"Conversations has no event {event_type!r}; it has {', '.join(EVENT_TYPES)}")
    found = {
        "AccountSid": account.sid,
        "ChatServiceSid": new_sid("IS"),
        "ConversationSid": new_sid("CH"),
        "EventType": event_type,
        "RetryCount": "0",
        "Attributes": "{}",
    }
    if event_type.startswith(("onMessage", "onDelivery")):
        found |= {"MessageSid": new_sid("IM"), "ParticipantSid": new_sid("MB"), "Index": "0", "Source": "SMS"}
    if event_type.startswith("onMessage"):
        found |= {"Body": "", "Author": "", "DateCreated": iso_date(now)}
    if event_type.startswith("onParticipant"):
        found["ParticipantSid"] = new_sid("MB")
    if event_type == "onDeliveryUpdated":
        found |= {"Status": "delivered", "DeliveryReceiptSid": new_sid("DY"), "ChannelMessageSid": new_sid("SM")}
    return tuple((found | dict(more)).items())
