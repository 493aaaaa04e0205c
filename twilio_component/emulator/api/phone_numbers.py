"""The IncomingPhoneNumbers resource."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twilio_component.emulator.api.pagination import PageRequest, page_of, page_response
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.phone_number import PhoneNumber

if TYPE_CHECKING:
    from twilio_component.emulator.state import ApiCall

_UNAVAILABLE, _INVALID = "+15005550000", "+15005550001"


def list_page(call: ApiCall) -> Response:
    """Return a page of the account's numbers, newest first."""
    arguments = call.request.arguments
    page_request = PageRequest.parse(arguments)
    name, pattern = arguments.get("FriendlyName"), _pattern(arguments.get("PhoneNumber"))
    found = [
        number.representation()
        for number in reversed(call.account.numbers.values())
        if name in (None, number.friendly_name) and pattern.search(number.number)
    ]
    return page_response(
        call.request.path, arguments, page_request, "incoming_phone_numbers", page_of(page_request, found)
    )


def create(call: ApiCall) -> Response:
    """Give the account a number; Twilio's magic numbers refuse as they do with test credentials."""
    text = call.request.form.get("PhoneNumber") or ""
    if text == _UNAVAILABLE:
        raise ApiError(21422, number=text)
    if text == _INVALID or not addresses.is_number(text):
        raise ApiError(21421, number=text)
    number = PhoneNumber(call.account.sid, text, call.state.clock.now())
    number.change(call.request.form, call.state.clock.now())
    if not call.account.test:
        call.account.numbers[number.sid] = number
    return json_response(201, number.representation())


def fetch(call: ApiCall) -> Response:
    """Return one number."""
    return json_response(200, _number(call).representation())


def update(call: ApiCall) -> Response:
    """Change a number's settings, such as where its inbound messages go."""
    number = _number(call)
    number.change(call.request.form, call.state.clock.now())
    return json_response(200, number.representation())


def delete(call: ApiCall) -> Response:
    """Give a number back."""
    del call.account.numbers[_number(call).sid]
    return Response(204)


def _number(call: ApiCall) -> PhoneNumber:
    number = call.account.numbers.get(call.names["number"])
    if number is None:
        raise ApiError(20404, path=call.request.path)
    return number


def _pattern(text: str | None) -> re.Pattern[str]:
    """Return a part of a number, in which ``*`` stands for any digit."""
    return re.compile(re.escape(text or "").replace(r"\*", "[0-9]"))
