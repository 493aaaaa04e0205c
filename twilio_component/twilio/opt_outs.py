"""Opt-outs: whom a message reaches, and what Twilio's webhooks say about people who have opted out or in."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.contacts import IN, OUT, Contact, ContactEvent
from twilio_component.twilio.errors import TwilioAPIError, api_error
from twilio_component.twilio.segments import segment
from twilio_component.twilio.triggers.webhook_parameters import WebhookParameters
from twilio_component.twilio.twiml import messaging_response, response_of
from twilio_component.twilio.whatsapp_numbers import current_form

if TYPE_CHECKING:
    from twilio_component.host.contacts import ContactWords

OPTED_OUT = 21610
STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
START_WORDS = frozenset({"start", "yes", "unstop"})
HELP_WORDS = frozenset({"help", "info"})
_AFTER_WORD = ".!"
_BY_TWILIO = {"STOP": OUT, "START": IN}


def contact_of(inputs: Mapping[str, Any]) -> Contact | None:
    """Return whom a message reaches and from whom, of the accepted inputs of sendSMS; None without a recipient."""
    recipient = inputs.get("to")
    if not isinstance(recipient, str) or not recipient:
        return None
    senders = (inputs.get("messagingServiceSid"), inputs.get("from"))
    connection = inputs.get("twilioConnection")
    fields = connection.get("fields") if isinstance(connection, Mapping) else None
    account = fields.get("accountSid") if isinstance(fields, Mapping) else None
    return Contact(
        person=shared_address(recipient),
        senders=tuple(shared_address(sender) for sender in senders if isinstance(sender, str) and sender),
        account=account if isinstance(account, str) else "",
    )


def estimate(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``segments`` and ``encoding`` of the text that accepted inputs of sendSMS have; nothing without one."""
    text = inputs.get("message")
    if not isinstance(text, str) or not text:
        return {}
    found = segment(text)
    return {"segments": found.segments, "encoding": found.encoding}


def contact_event(payload: Mapping[str, Any], words: ContactWords) -> ContactEvent | None:
    """Return what a verified webhook says about a person: a message from them, or that they have opted out.

    A keyword counts when it is the whole message, in any case. Twilio confirms its own keywords; the response that
    confirms one of ``words`` is returned.
    """
    parameters = WebhookParameters(payload)
    if parameters.text("MessageStatus") is not None:
        return _refusal(parameters)
    person, sender = parameters.text("From"), parameters.text("To")
    if person is None or sender is None or parameters.text("MessageSid") is None:
        return None
    contact = _contact(parameters, person, sender)
    twilios = _BY_TWILIO.get((parameters.text("OptOutType") or "").upper())
    if twilios is not None:
        return ContactEvent(contact=contact, has_written=True, choice=twilios)
    text = _keyword(parameters.text("Body") or "")
    bare = text.rstrip(_AFTER_WORD)
    for kind, choice, own, known in (
        ("stop", OUT, words.stop, STOP_WORDS),
        ("start", IN, words.start, START_WORDS),
        ("help", None, words.help, frozenset[str]()),
    ):
        # A person who writes "Stop!" wants it to stop; only the exact word brings messages back, as at Twilio.
        said = text if kind == "start" else bare
        if said in known or said in own:
            reply = words.replies.get(kind) if said not in known else None
            response = response_of(messaging_response(reply)) if reply else None
            asks_help = kind == "help"
            return ContactEvent(
                contact=contact, has_written=True, asks_help=asks_help, choice=choice, response=response
            )
    return ContactEvent(contact=contact, has_written=True)


def is_stop_word(text: str) -> bool:
    """Return whether a message is one of Twilio's words for wanting nothing more, in any case."""
    return _keyword(text).rstrip(_AFTER_WORD) in STOP_WORDS


def asks_help(message: Mapping[str, Any]) -> bool:
    """Return whether a message asks for help with one of Twilio's words, to which Twilio itself replies."""
    kind = (message.get("optOutType") or "").upper()
    return kind == "HELP" or (not kind and _keyword(message.get("body") or "").rstrip(_AFTER_WORD) in HELP_WORDS)


def opted_out() -> TwilioAPIError:
    """Return the error that Twilio itself gives for a recipient who has opted out."""
    return api_error(400, {"code": OPTED_OUT, "message": "Attempt to send to unsubscribed recipient"})


def shared_address(address: str) -> str:
    """Return the one address for all of a person's, or a sender's, that belong together.

    SMS, MMS and RCS share their opt-outs; a number that WhatsApp has in an older form is one person's in both forms.
    """
    return current_form(address.removeprefix("rcs:"))


def _keyword(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _refusal(parameters: WebhookParameters) -> ContactEvent | None:
    """What a status callback says: through a messaging service, an opt-out is a failure of the accepted message."""
    person, sender = parameters.text("To"), parameters.text("From")
    if parameters.integer("ErrorCode") != OPTED_OUT or person is None:
        return None
    return ContactEvent(contact=_contact(parameters, person, sender), choice=OUT)


def _contact(parameters: WebhookParameters, person: str, sender: str | None) -> Contact:
    senders = (parameters.text("MessagingServiceSid"), sender)
    return Contact(
        person=shared_address(person),
        senders=tuple(shared_address(one) for one in senders if one),
        account=parameters.text("AccountSid") or "",
    )
