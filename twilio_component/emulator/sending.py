"""From a request to send to a message of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.emulator.magic_numbers import refuse_magic
from twilio_component.emulator.message import Media, Message
from twilio_component.emulator.outgoing import Outgoing, media_type_of
from twilio_component.emulator.sids import new_sid
from twilio_component.segments import segment

if TYPE_CHECKING:
    from twilio_component.emulator.accounts import Account
    from twilio_component.emulator.wire import Fields
    from twilio_component.emulator.world import World


def send(world: World, account: Account, form: Fields) -> Message:
    """Accept a message, or raise the `Refusal` that Twilio would answer. Test credentials leave no trace."""
    now = world.clock.now()
    outgoing = Outgoing.parse(form, now)
    refuse_magic(outgoing.to, outgoing.sender, test_credentials=account.test)
    message = _message(outgoing, account, now)
    if not account.test:
        account.messages.append(message)
        world.life.begin(message)
    return message


def _message(outgoing: Outgoing, account: Account, now: float) -> Message:
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
        segments=segment(outgoing.body).segments or 1,
        media=media,
        messaging_service_sid=service,
        status_callback=outgoing.status_callback,
        validity_period=outgoing.validity_period,
        send_at=outgoing.send_at,
        provide_feedback=outgoing.provide_feedback,
        discards_content=outgoing.discards_content,
        obfuscates_address=outgoing.obfuscates_address,
    )
