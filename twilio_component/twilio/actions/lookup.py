"""Twilio Lookup: what is known about a phone number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from twilio_component.twilio.client import client_for
from twilio_component.twilio.parameters import parameters
from twilio_component.twilio.payloads import nested_resource

if TYPE_CHECKING:
    from twilio_component.host.context import Context

# What the package identity_match compares, by Twilio's names.
_IDENTITY = {
    "firstName": "FirstName",
    "lastName": "LastName",
    "addressLine1": "AddressLine1",
    "addressLine2": "AddressLine2",
    "city": "City",
    "state": "State",
    "postalCode": "PostalCode",
    "addressCountryCode": "AddressCountryCode",
    "nationalId": "NationalId",
    "dateOfBirth": "DateOfBirth",
}


async def look_up(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether a number is valid, how it is written, and the packages that ``packages`` names.

    Validation is free; each package is billed, also when the request is repeated after a lost response. A number that
    is not valid is a result (``valid`` is false, ``validationErrors`` say why), not an error.
    """
    client = client_for(context, inputs["twilioConnection"])
    number = inputs["phoneNumber"]
    params = [("Fields", ",".join(inputs["packages"]))] if inputs.get("packages") else []
    if not number.startswith("+"):
        params.append(("CountryCode", inputs["defaultRegion"]))
    params += parameters(inputs.get("identity", {}), _IDENTITY)
    params += parameters(inputs, {"lastVerifiedDate": "LastVerifiedDate", "verificationSid": "VerificationSid"})
    path = f"/v2/PhoneNumbers/{quote(number, safe='')}"
    return nested_resource(await client.call("GET", path, params=params, product="lookups"))
