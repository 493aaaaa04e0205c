"""The limits of the emulator, which the server prints and its responses repeat."""

from __future__ import annotations

import re

from twilio_component.emulator.http import Response, json_response

NOT_EMULATED = (
    "products other than messaging, Verify and Lookup (calls, video, ...): such paths get 501 with a sentence",
    "XML responses: paths need their .json",
    "prices, carriers, content filtering: price stays null, and messages fail only as you tell them to",
    "smart encoding, link shortening, risk checks, message intents, TwiML applications: accepted, and without effect",
    "rate limits and the length of a sender's queue: only as faults that you switch on",
    "Verify's push, TOTP, silent network authentication and passkeys, its templates, locales and list of attempts",
    "what Lookup knows of real people: its packages say what you tell them to; the form of a number is a real one",
    "regulatory bundles, A2P 10DLC registration, approval of templates",
    "the search for numbers that can be bought (AvailablePhoneNumbers); buying a number always succeeds",
    "the sizes and types of media files: URLs are never fetched",
    "the action attribute of TwiML's Message, voice TwiML, and webhooks as JSON",
    "WhatsApp's session window: a message outside it fails only as you tell it to (63016)",
    "records older than 400 days: they stay",
)

_PAGE = "/_emulator"  # its `notEmulated` has these sentences
_RESOURCE = re.compile(r"/2010-04-01/Accounts/[^/]+/([A-Za-z]+)")
_PRODUCT = re.compile(r"/v[1-9]\d*/([A-Za-z]+)")


def not_emulated(path: str) -> Response | None:
    """Return a 501 for a resource of Twilio that is not emulated; None for one that Twilio does not have."""
    if not path.endswith(".json") and path.startswith("/2010-04-01/Accounts"):
        message = f"The emulator has no XML responses: add .json to {path}"
        return json_response(501, {"code": 501, "message": message, "more_info": _PAGE, "status": 501})
    resource = _RESOURCE.match(path) or _PRODUCT.match(path)
    if resource is None:
        return None
    message = f"The emulator does not emulate this: {resource[1]} at {path}"
    return json_response(501, {"code": 501, "message": message, "more_info": _PAGE, "status": 501})
