"""Messaging services (``/v1/Services``): as far as sending with them, and picking one, needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.emulator.api.pagination import PageRequest, meta_page_response, page_of
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.model.messaging_service import MessagingService

if TYPE_CHECKING:
    from twilio_component.emulator.model.phone_number import PhoneNumber
    from twilio_component.emulator.state import ApiCall


def list_page(call: ApiCall) -> Response:
    """Return a page of the account's services, newest first."""
    page_request = PageRequest.parse(call.request.arguments)
    found = [one.representation(call.request.base_url) for one in reversed(call.account.services.values())]
    return meta_page_response(call.request, page_request, "services", page_of(page_request, found))


def create(call: ApiCall) -> Response:
    """Create a service."""
    name = call.request.form.get("FriendlyName")
    if not name:
        raise ApiError(20001, name="FriendlyName", reason="it is required")
    service = MessagingService(call.account.sid, name, call.state.clock.now())
    service.change(call.request.form, call.state.clock.now())
    call.account.services[service.sid] = service
    return json_response(201, service.representation(call.request.base_url))


def fetch(call: ApiCall) -> Response:
    """Return one service."""
    return json_response(200, _service(call).representation(call.request.base_url))


def update(call: ApiCall) -> Response:
    """Change a service's settings."""
    service = _service(call)
    service.change(call.request.form, call.state.clock.now())
    return json_response(200, service.representation(call.request.base_url))


def delete(call: ApiCall) -> Response:
    """Delete a service; its numbers stay the account's."""
    del call.account.services[_service(call).sid]
    return Response(204)


def list_numbers(call: ApiCall) -> Response:
    """Return a page of the numbers in a service's pool."""
    service = _service(call)
    page_request = PageRequest.parse(call.request.arguments)
    found = [service.number_representation(one, call.request.base_url) for one in service.pool.values()]
    return meta_page_response(call.request, page_request, "phone_numbers", page_of(page_request, found))


def add_number(call: ApiCall) -> Response:
    """Put one of the account's numbers into a service's pool."""
    service = _service(call)
    number = call.account.numbers.get(call.request.form.get("PhoneNumberSid") or "")
    if number is None:
        raise ApiError(21404, sid=call.request.form.get("PhoneNumberSid"))
    if number.sid in service.pool:
        raise ApiError(21710)
    service.pool[number.sid] = number
    return json_response(201, service.number_representation(number, call.request.base_url))


def fetch_number(call: ApiCall) -> Response:
    """Return one number of a service's pool."""
    service, number = _pool_entry(call)
    return json_response(200, service.number_representation(number, call.request.base_url))


def remove_number(call: ApiCall) -> Response:
    """Take a number out of a service's pool."""
    service, number = _pool_entry(call)
    del service.pool[number.sid]
    return Response(204)


def _service(call: ApiCall) -> MessagingService:
    service = call.account.services.get(call.names["service"])
    if service is None:
        raise ApiError(20404, path=call.request.path)
    return service


def _pool_entry(call: ApiCall) -> tuple[MessagingService, PhoneNumber]:
    service = _service(call)
    number = service.pool.get(call.names["number"])
    if number is None:
        raise ApiError(20404, path=call.request.path)
    return service, number
