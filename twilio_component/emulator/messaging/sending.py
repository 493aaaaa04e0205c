"""From a request to send to a message of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.messaging.magic_numbers import VALID_SENDER, refuse_magic
from twilio_component.emulator.messaging.send_request import Outgoing, media_type_of
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.message import Media, Message
from twilio_component.emulator.model.sids import new_sid
from twilio_component.twilio.segments import segment

if TYPE_CHECKING:
    from twilio_component.emulator.http import Fields
    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.state import EmulatorState

_OPTED_OUT = 21610


def send(state: EmulatorState, account: Account, form: Fields, direction: str = "outbound-api") -> Message:
    """Accept a message, or raise the `ApiError` that Twilio would respond with. Test credentials leave no trace."""
    now = state.clock.now()
    outgoing = Outgoing.parse(form, now)
    refuse_magic(outgoing.to, outgoing.sender, test_credentials=account.test)
    _refuse_foreign_sender(state, account, outgoing)
    chosen = _chosen_sender(account, outgoing)
    failure = _opt_out(account, outgoing, chosen)
    _fill_in_template(account, outgoing)
    message = _message(outgoing, account, now, direction)
    message.chosen_sender = chosen
    if not account.test:
        account.messages.append(message)
        state.lifecycle.begin(message, account.messages, failure=failure)
    return message


def _refuse_foreign_sender(state: EmulatorState, account: Account, outgoing: Outgoing) -> None:
    """Refuse a sender that belongs to another account, or to none while this one has numbers of its own."""
    sender = outgoing.sender or ""
    if not account.numbers or not addresses.is_number(sender) or sender == VALID_SENDER:
        return
    if account.number_of(sender) is None:
        if state.accounts.owner_of_number(sender):
            raise ApiError(21660, sender=sender, account=account.sid)
        raise ApiError(21606, sender=sender)


def _chosen_sender(account: Account, outgoing: Outgoing) -> str | None:
    """Return the number that a messaging service sends from; an undeclared service has the magic number."""
    sid = outgoing.messaging_service_sid
    if sid is None or outgoing.sender is not None:
        return None
    if not account.services:
        return VALID_SENDER
    service = account.services.get(sid)
    if service is None:
        raise ApiError(21701, sid=sid)
    if outgoing.fallback is not None and not any(one.startswith("rcs:") for one in service.channel_senders):
        raise ApiError(21667)
    sender = service.sender_for(outgoing.to)
    if sender is None:
        raise ApiError(21703, sid=sid)
    return sender


def _opt_out(account: Account, outgoing: Outgoing, chosen: str | None) -> int | None:
    """Refuse a recipient who has opted out of a number; return the code with which a service's message fails later."""
    service = account.service_of(outgoing.sender) if outgoing.sender else None
    senders = (outgoing.sender, outgoing.messaging_service_sid, chosen, service.sid if service else None)
    if not account.opt_outs.forbid(outgoing.to, *senders):
        return None
    if outgoing.messaging_service_sid is None:
        raise ApiError(_OPTED_OUT)
    return _OPTED_OUT


def _fill_in_template(account: Account, outgoing: Outgoing) -> None:
    """Take text and media from the template; an undeclared one is empty, as long as there is no other."""
    sid = outgoing.content_sid
    if sid is None or not account.templates:
        return
    template = account.templates.get(sid)
    if template is None:
        raise ApiError(21655, sid=sid)
    outgoing.body = template.body(outgoing.content_variables)
    outgoing.media_urls = template.media()


def _message(outgoing: Outgoing, account: Account, now: float, direction: str) -> Message:
    service = outgoing.messaging_service_sid
    status = "scheduled" if outgoing.send_at else "accepted" if service else "queued"
    media = [Media(new_sid("ME"), media_type_of(url), now, url) for url in outgoing.media_urls]
    return Message(
        sid=new_sid("MM" if media else "SM"),
        account_sid=account.sid,
        to=outgoing.to,
        sender=outgoing.sender,
        body=outgoing.body,
        status=status,
        created=now,
        direction=direction,
        # Twilio counts segments when it queues a message.
        segments=(segment(outgoing.body).segments or 1) if status == "queued" else 0,
        media=media,
        messaging_service_sid=service,
        status_callback=outgoing.status_callback,
        validity_period=outgoing.validity_period,
        send_at=outgoing.send_at,
        provide_feedback=outgoing.provide_feedback,
        discards_content=outgoing.discards_content,
        obfuscates_address=outgoing.obfuscates_address,
    )
