"""The Messages resource and its sub-resources: one function for each operation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.api.media import url as media_url
from twilio_component.emulator.api.message_filter import MessageFilter
from twilio_component.emulator.api.pagination import Page, PageRequest, page_of, page_response, take_page
from twilio_component.emulator.errors import Refusal
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.messaging.sending import send
from twilio_component.emulator.model.message import IN_PROGRESS, Media, Message, twilio_date

if TYPE_CHECKING:
    from twilio_component.emulator.state import Call


def create(call: Call) -> Response:
    """Send a message."""
    return json_response(201, send(call.world, call.account, call.request.form).representation())


def fetch(call: Call) -> Response:
    """One message."""
    return json_response(200, _message(call).representation())


def list_page(call: Call) -> Response:
    """A page of the account's messages, newest first."""
    arguments = call.request.arguments
    asked = PageRequest.parse(arguments)
    wanted = MessageFilter.parse(arguments)
    log, faults = call.account.messages, call.world.faults
    visible_until = call.world.clock.now() - faults.list_lag if faults.list_lag else math.inf
    older_than = None if asked.older_than is None else asked.older_than + faults.page_shift
    source = log.newest_first(older_than) if asked.newer_than is None else log.oldest_first(asked.newer_than)
    found = (pair for pair in source if pair[1].created <= visible_until and wanted.matches(pair[1]))
    taken, more = take_page(asked, found)
    if asked.newer_than is not None:
        taken, more = taken[::-1], True
    page = Page(
        [message.representation() for _, message in taken],
        taken[-1][0] if taken and more else None,
        taken[0][0] if taken and asked.number > 0 else None,
    )
    return page_response(call.request.path, arguments, asked, "messages", page)


def update(call: Call) -> Response:
    """Redact (an empty ``Body``) or cancel (``Status=canceled``)."""
    message = _message(call)
    form = call.request.form
    if form.one("Status"):
        _cancel(call, message, form.one("Status"))
    elif "Body" in form:
        _redact(call, message, form.one("Body"))
    return json_response(200, message.representation())


def delete(call: Call) -> Response:
    """Delete a message for good."""
    message = _message(call)
    if message.status in IN_PROGRESS:
        raise Refusal(20009, verb="delete")
    call.account.messages.remove(message)
    call.world.feed.publish("reset")
    return Response(204)


def list_media(call: Call) -> Response:
    """A page of a message's media."""
    message = _message(call)
    arguments = call.request.arguments
    asked = PageRequest.parse(arguments)
    media = [message.media_representation(one) for one in message.media]
    return page_response(call.request.path, arguments, asked, "media_list", page_of(asked, media))


def fetch_media(call: Call) -> Response:
    """What is known about one file of a message."""
    message, media = _media(call)
    return json_response(200, message.media_representation(media))


def media_content(call: Call) -> Response:
    """A redirection to where the file is kept: with its sender, or with Twilio on another host."""
    _, media = _media(call)
    return Response(307, headers={"Location": media.url or media_url(call, media)})


def delete_media(call: Call) -> Response:
    """Delete one file of a message."""
    message, media = _media(call)
    message.media.remove(media)
    call.world.feed.message_changed(message)
    return Response(204)


def create_feedback(call: Call) -> Response:
    """Note that the recipient did (``confirmed``) or may not have (``unconfirmed``) got the message."""
    message = _message(call)
    outcome = call.request.form.one("Outcome") or "confirmed"
    if outcome not in ("confirmed", "unconfirmed"):
        raise Refusal(20001, name="Outcome", reason="confirmed or unconfirmed is allowed")
    message.feedback = outcome
    now = twilio_date(call.world.clock.now())
    feedback: dict[str, Any] = {
        "account_sid": message.account_sid,
        "message_sid": message.sid,
        "outcome": outcome,
        "date_created": now,
        "date_updated": now,
        "uri": f"{message.uri}/Feedback.json",
    }
    return json_response(200, feedback)


def _message(call: Call) -> Message:
    message = call.account.messages.get(call.names["message"])
    if message is None:
        raise Refusal(20404, path=call.request.path)
    return message


def _media(call: Call) -> tuple[Message, Media]:
    message = _message(call)
    media = next((one for one in message.media if one.sid == call.names["media"]), None)
    if media is None:
        raise Refusal(20404, path=call.request.path)
    return message, media


def _cancel(call: Call, message: Message, status: str | None) -> None:
    if status != "canceled":
        raise Refusal(20001, name="Status", reason="canceled is allowed")
    if message.status != "scheduled":
        raise Refusal(30409, sid=message.sid, status=message.status)
    call.world.life.cancel(message)


def _redact(call: Call, message: Message, body: str | None) -> None:
    if body:
        raise Refusal(20001, name="Body", reason="only the empty text, which redacts the message, is allowed")
    if message.status in IN_PROGRESS:
        raise Refusal(20009, verb="update")
    message.body = ""
    message.updated = call.world.clock.now()
    call.world.feed.message_changed(message)
