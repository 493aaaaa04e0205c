"""The IncomingPhoneNumbers resource."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twilio_component.emulator.api.pagination import PageRequest, page_of, page_response
from twilio_component.emulator.errors import Refusal
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.phone_number import PhoneNumber

if TYPE_CHECKING:
    from twilio_component.emulator.state import Call

_UNAVAILABLE, _INVALID = "+15005550000", "+15005550001"


def list_page(call: Call) -> Response:
    """A page of the account's numbers, newest first."""
    arguments = call.request.arguments
    asked = PageRequest.parse(arguments)
    name, pattern = arguments.one("FriendlyName"), _pattern(arguments.one("PhoneNumber"))
    found = [
        number.representation()
        for number in reversed(call.account.numbers.values())
        if name in (None, number.friendly_name) and pattern.search(number.number)
    ]
    return page_response(call.request.path, arguments, asked, "incoming_phone_numbers", page_of(asked, found))


def create(call: Call) -> Response:
    """Give the account a number; Twilio's magic numbers refuse as they do with test credentials."""
    text = call.request.form.one("PhoneNumber") or ""
    if text == _UNAVAILABLE:
        raise Refusal(21422, number=text)
    if text == _INVALID or not addresses.is_number(text):
        raise Refusal(21421, number=text)
    number = PhoneNumber(call.account.sid, text, call.world.clock.now())
    number.change(call.request.form, call.world.clock.now())
    if not call.account.test:
        call.account.numbers[number.sid] = number
    return json_response(201, number.representation())


def fetch(call: Call) -> Response:
    """One number."""
    return json_response(200, _number(call).representation())


def update(call: Call) -> Response:
    """Change a number's settings, such as where its inbound messages go."""
    number = _number(call)
    number.change(call.request.form, call.world.clock.now())
    return json_response(200, number.representation())


def delete(call: Call) -> Response:
    """Give a number back."""
    del call.account.numbers[_number(call).sid]
    return Response(204)


def _number(call: Call) -> PhoneNumber:
    number = call.account.numbers.get(call.names["number"])
    if number is None:
        raise Refusal(20404, path=call.request.path)
    return number


def _pattern(text: str | None) -> re.Pattern[str]:
    """A part of a number, in which ``*`` stands for any digit."""
    return re.compile(re.escape(text or "").replace(r"\*", "[0-9]"))
