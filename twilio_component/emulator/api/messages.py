"""The Messages resource and its sub-resources: one function for each operation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.api.media import url as media_url
from twilio_component.emulator.api.message_filter import MessageFilter
from twilio_component.emulator.api.pagination import Page, PageRequest, page_of, page_response, take_page
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.messaging.sending import send
from twilio_component.emulator.model.message import IN_PROGRESS, Media, Message, twilio_date

if TYPE_CHECKING:
    from twilio_component.emulator.state import ApiCall


def create(call: ApiCall) -> Response:
    """Send a message."""
    return json_response(201, send(call.state, call.account, call.request.form).representation())


def fetch(call: ApiCall) -> Response:
    """Return one message."""
    return json_response(200, _find_message(call).representation())


def list_page(call: ApiCall) -> Response:
    """Return a page of the account's messages, newest first."""
    arguments = call.request.arguments
    page_request = PageRequest.parse(arguments)
    wanted = MessageFilter.parse(arguments)
    log, faults = call.account.messages, call.state.faults
    visible_until = call.state.clock.now() - faults.list_lag if faults.list_lag else math.inf
    older_than = None if page_request.older_than is None else page_request.older_than + faults.page_shift
    source = (
        log.newest_first(older_than) if page_request.newer_than is None else log.oldest_first(page_request.newer_than)
    )
    found = (pair for pair in source if pair[1].created <= visible_until and wanted.matches(pair[1]))
    taken, more = take_page(page_request, found)
    if page_request.newer_than is not None:
        taken, more = taken[::-1], True
    page = Page(
        [message.representation() for _, message in taken],
        taken[-1][0] if taken and more else None,
        taken[0][0] if taken and page_request.number > 0 else None,
    )
    return page_response(call.request.path, arguments, page_request, "messages", page)


def update(call: ApiCall) -> Response:
    """Redact (an empty ``Body``) or cancel (``Status=canceled``)."""
    message = _find_message(call)
    form = call.request.form
    if form.get("Status"):
        _cancel(call, message, form.get("Status"))
    elif "Body" in form:
        _redact(call, message, form.get("Body"))
    return json_response(200, message.representation())


def delete(call: ApiCall) -> Response:
    """Delete a message for good."""
    message = _find_message(call)
    if message.status in IN_PROGRESS:
        raise ApiError(20009, verb="delete")
    call.account.messages.remove(message)
    return Response(204)


def list_media(call: ApiCall) -> Response:
    """Return a page of a message's media."""
    message = _find_message(call)
    arguments = call.request.arguments
    page_request = PageRequest.parse(arguments)
    media = [message.media_representation(one) for one in message.media]
    return page_response(call.request.path, arguments, page_request, "media_list", page_of(page_request, media))


def fetch_media(call: ApiCall) -> Response:
    """Return what is known about one file of a message."""
    message, media = _media(call)
    return json_response(200, message.media_representation(media))


def media_content(call: ApiCall) -> Response:
    """Return a redirection to where the file is kept: with its sender, or with Twilio on another host."""
    _, media = _media(call)
    return Response(307, headers={"Location": media.url or media_url(call, media)})


def delete_media(call: ApiCall) -> Response:
    """Delete one file of a message."""
    message, media = _media(call)
    message.media.remove(media)
    call.account.messages.notify(message)
    return Response(204)


def create_feedback(call: ApiCall) -> Response:
    """Note that the recipient did (``confirmed``) or may not have (``unconfirmed``) got the message."""
    message = _find_message(call)
    outcome = call.request.form.get("Outcome") or "confirmed"
    if outcome not in ("confirmed", "unconfirmed"):
        raise ApiError(20001, name="Outcome", reason="confirmed or unconfirmed is allowed")
    message.feedback = outcome
    now = twilio_date(call.state.clock.now())
    feedback: dict[str, Any] = {
        "account_sid": message.account_sid,
        "message_sid": message.sid,
        "outcome": outcome,
        "date_created": now,
        "date_updated": now,
        "uri": f"{message.uri}/Feedback.json",
    }
    return json_response(200, feedback)


def _find_message(call: ApiCall) -> Message:
    message = call.account.messages.get(call.names["message"])
    if message is None:
        raise ApiError(20404, path=call.request.path)
    return message


def _media(call: ApiCall) -> tuple[Message, Media]:
    message = _find_message(call)
    media = next((one for one in message.media if one.sid == call.names["media"]), None)
    if media is None:
        raise ApiError(20404, path=call.request.path)
    return message, media


def _cancel(call: ApiCall, message: Message, status: str | None) -> None:
    if status != "canceled":
        raise ApiError(20001, name="Status", reason="canceled is allowed")
    if message.status != "scheduled":
        raise ApiError(30409, sid=message.sid, status=message.status)
    call.state.lifecycle.cancel(message, call.account.messages)


def _redact(call: ApiCall, message: Message, body: str | None) -> None:
    if body:
        raise ApiError(20001, name="Body", reason="only the empty text, which redacts the message, is allowed")
    if message.status in IN_PROGRESS:
        raise ApiError(20009, verb="update")
    message.body = ""
    message.updated = call.state.clock.now()
    call.account.messages.notify(message)
