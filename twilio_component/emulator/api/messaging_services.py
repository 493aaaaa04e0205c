"""Messaging services (``/v1/Services``): as far as sending with them, and picking one, needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.emulator.api.pagination import PageRequest, meta_answer, page_of
from twilio_component.emulator.errors import Refusal
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.model.messaging_service import MessagingService

if TYPE_CHECKING:
    from twilio_component.emulator.model.phone_number import PhoneNumber
    from twilio_component.emulator.state import Call


def list_page(call: Call) -> Response:
    """A page of the account's services, newest first."""
    asked = PageRequest.parse(call.request.arguments)
    found = [one.representation(call.request.base_url) for one in reversed(call.account.services.values())]
    return meta_answer(call.request, asked, "services", page_of(asked, found))


def create(call: Call) -> Response:
    """Create a service."""
    name = call.request.form.one("FriendlyName")
    if not name:
        raise Refusal(20001, name="FriendlyName", reason="it is required")
    service = MessagingService(call.account.sid, name, call.world.clock.now())
    service.change(call.request.form, call.world.clock.now())
    call.account.services[service.sid] = service
    return json_response(201, service.representation(call.request.base_url))


def fetch(call: Call) -> Response:
    """One service."""
    return json_response(200, _service(call).representation(call.request.base_url))


def update(call: Call) -> Response:
    """Change a service's settings."""
    service = _service(call)
    service.change(call.request.form, call.world.clock.now())
    return json_response(200, service.representation(call.request.base_url))


def delete(call: Call) -> Response:
    """Delete a service; its numbers stay the account's."""
    del call.account.services[_service(call).sid]
    return Response(204)


def list_numbers(call: Call) -> Response:
    """A page of the numbers in a service's pool."""
    service = _service(call)
    asked = PageRequest.parse(call.request.arguments)
    found = [service.pooled_representation(one, call.request.base_url) for one in service.pool.values()]
    return meta_answer(call.request, asked, "phone_numbers", page_of(asked, found))


def add_number(call: Call) -> Response:
    """Put one of the account's numbers into a service's pool."""
    service = _service(call)
    number = call.account.numbers.get(call.request.form.one("PhoneNumberSid") or "")
    if number is None:
        raise Refusal(21404, sid=call.request.form.one("PhoneNumberSid"))
    if number.sid in service.pool:
        raise Refusal(21710)
    service.pool[number.sid] = number
    return json_response(201, service.pooled_representation(number, call.request.base_url))


def fetch_number(call: Call) -> Response:
    """One number of a service's pool."""
    service, number = _pooled(call)
    return json_response(200, service.pooled_representation(number, call.request.base_url))


def remove_number(call: Call) -> Response:
    """Take a number out of a service's pool."""
    service, number = _pooled(call)
    del service.pool[number.sid]
    return Response(204)


def _service(call: Call) -> MessagingService:
    service = call.account.services.get(call.names["service"])
    if service is None:
        raise Refusal(20404, path=call.request.path)
    return service


def _pooled(call: Call) -> tuple[MessagingService, PhoneNumber]:
    service = _service(call)
    number = service.pool.get(call.names["number"])
    if number is None:
        raise Refusal(20404, path=call.request.path)
    return service, number
