"""What the inbox reads through the control API: conversations, what is in them, and what is behind a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.emulator.control.conversations import Conversations, Pair, window
from twilio_component.emulator.control.events import events_answer
from twilio_component.emulator.control.media import media_response
from twilio_component.emulator.control.views import conversation_view, exchanges_view, heading, item_view, request_view
from twilio_component.twilio.error_codes import explanations

if TYPE_CHECKING:
    from twilio_component.emulator.emulator import Emulator
    from twilio_component.emulator.model.message import Message

MOST = 200
_DEFAULT = 50


class NotThereError(Exception):
    """What a path names is not there, or no longer. ``str()`` says what."""


async def list_conversations(emulator: Emulator, wanted: dict[str, Any]) -> Any:
    """``limit`` conversations from ``offset`` on, newest first; ``total`` is how many there are."""
    conversations = _conversations(emulator)
    found = conversations.newest_first(wanted.get("search", ""))
    offset = max(0, int(wanted.get("offset", 0)))
    shown = found[offset : offset + _limit(wanted)]
    return {
        "total": len(found),
        "conversations": [conversation_view(one, opted_out=conversations.opted_out(one.pair)) for one in shown],
    }


async def show_conversation(emulator: Emulator, wanted: dict[str, Any]) -> Any:
    """A part of one conversation, oldest first: the newest, or what is next to ``before`` or ``after``."""
    if "id" not in wanted:
        raise ValueError("id is required: the id of a conversation")
    pair = Pair.parse(wanted["id"])
    conversations = _conversations(emulator)
    conversation = conversations.one(pair, wanted.get("search", ""))
    shown, older, newer = window(
        conversation.items, before=wanted.get("before"), after=wanted.get("after"), limit=_limit(wanted)
    )
    return {
        **heading(conversation),
        "optedOut": conversations.opted_out(pair),
        "older": older,
        "newer": newer,
        "items": [item_view(one) for one in shown],
    }


async def show_message(emulator: Emulator, wanted: dict[str, Any]) -> Any:
    """One message with the requests and webhooks behind it."""
    message = _message(emulator, wanted["sid"])
    return {"item": item_view(message), "exchanges": exchanges_view(emulator, message)}


async def show_request(emulator: Emulator, wanted: dict[str, Any]) -> Any:
    """One request; of an attempt to send that was refused, what was to be sent as well."""
    number = int(wanted["number"])
    record = next((one for one in emulator.journal.requests if one.number == number), None)
    if record is None:
        raise NotThereError(f"there is no request {number}, or no longer")
    item = item_view(record) if record.is_refused_send else None
    return {"item": item, "exchanges": [request_view(record)]}


async def show_media(emulator: Emulator, wanted: dict[str, Any]) -> Any:
    """A file of a message."""
    sid = wanted["sid"]
    for message in emulator.messages:
        for media in message.media:
            if media.sid == sid:
                return await media_response(media, emulator.webhooks.postman)
    raise NotThereError(f"there is no file {sid}")


async def clear_messages(emulator: Emulator, _: dict[str, Any]) -> Any:
    """Forget the messages and what was written down; accounts, numbers, opt-outs and faults stay."""
    emulator.clear_messages()


async def list_numbers(emulator: Emulator, _: dict[str, Any]) -> Any:
    """The numbers of every account, and where what is written to them goes."""
    return {
        "numbers": [
            {"number": one.number, "accountSid": account.sid, "sid": one.sid, "smsUrl": one.settings["sms_url"]}
            for account in emulator.accounts
            for one in account.numbers.values()
        ]
    }


async def list_errors(_emulator: Emulator, _: dict[str, Any]) -> Any:
    """The codes with which messages fail, and what each means."""
    return {
        "errors": [{"code": one.code, "meaning": one.meaning} for one in explanations() if one.arrives == "message"]
    }


async def watch(emulator: Emulator, wanted: dict[str, Any]) -> Any:
    """The stream of changes."""
    return await events_answer(emulator, wanted.get("lastEventId"))


def _conversations(emulator: Emulator) -> Conversations:
    return Conversations(emulator.accounts, emulator.journal)


def _message(emulator: Emulator, sid: str) -> Message:
    for account in emulator.accounts:
        message = account.messages.get(sid)
        if message is not None:
            return message
    raise NotThereError(f"there is no message {sid}")


def _limit(wanted: dict[str, Any]) -> int:
    limit = int(wanted.get("limit", _DEFAULT))
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit is 1 to {MOST}, not {limit}")
    return limit
