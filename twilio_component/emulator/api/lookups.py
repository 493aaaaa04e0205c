"""Lookup (``/v2/PhoneNumbers``): the form of a number, and what a test has said about it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.model.lookups import PACKAGES

if TYPE_CHECKING:
    from twilio_component.emulator.state import ApiCall


def fetch(call: ApiCall) -> Response:
    """Return what is known about a number; it need not be a valid one."""
    arguments = call.request.arguments
    packages = {one.strip() for one in (arguments.get("Fields") or "").split(",") if one.strip()}
    unknown = packages - {*PACKAGES}
    if unknown:
        raise ApiError(60600, name="Fields", reason=f"there is no {', '.join(sorted(unknown))}")
    region = (arguments.get("CountryCode") or "US").upper()
    try:
        found = call.state.lookups.look_up(unquote(call.names["phone"]), region, packages)
    except ValueError:
        raise ApiError(60600, name="CountryCode", reason="a country code of two letters is required") from None
    return json_response(200, {**found, "url": f"{call.request.base_url}/v2/PhoneNumbers/{found['phone_number']}"})
