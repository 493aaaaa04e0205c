"""Verify's verifications and their checks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from twilio_component.emulator.api.verify_services import find_service
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.messaging.verifying import check_verification, find_verification, start_verification

if TYPE_CHECKING:
    from twilio_component.emulator.model.verification import Verification
    from twilio_component.emulator.state import ApiCall

_STATUSES = ("canceled", "approved")


def create(call: ApiCall) -> Response:
    """Send a code to somebody."""
    service = find_service(call)
    # An account without services gets this one, so that a code sent through it can be checked.
    call.account.verify_services.setdefault(service.sid, service)
    verification = start_verification(call.state, call.account, service, call.request.form)
    return json_response(201, verification.representation(call.request.base_url))


def fetch(call: ApiCall) -> Response:
    """Return a verification that can still be checked, by its SID or by the address."""
    return json_response(200, _find(call).representation(call.request.base_url))


def update(call: ApiCall) -> Response:
    """Cancel or approve a verification without its code."""
    verification = _find(call)
    status = call.request.form.get("Status")
    if status not in _STATUSES:
        raise ApiError(60200, name="Status", reason=f"{' or '.join(_STATUSES)} is allowed")
    verification.become(status, call.state.clock.now())
    return json_response(200, verification.representation(call.request.base_url))


def check(call: ApiCall) -> Response:
    """Check a code."""
    verification = check_verification(find_service(call), call.request.form, call.state.clock.now())
    # Until its time is over Twilio calls a verification pending that was tried too often.
    status = "approved" if verification.status == "approved" else "pending"
    return json_response(200, {**verification.check_representation(), "status": status, "sna_attempts_error_codes": []})


def _find(call: ApiCall) -> Verification:
    found = find_verification(find_service(call), unquote(call.names["verification"]), call.state.clock.now())
    if found is None:
        raise ApiError(20404, path=call.request.path)
    return found
