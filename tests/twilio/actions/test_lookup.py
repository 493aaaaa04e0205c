"""lookupPhoneNumber: validation and packages, against what Twilio's API says of them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from twilio_component.host import Host
from twilio_component.host.errors import InputError
from twilio_component.testing import create_connection

NUMBER = "+15558675310"
VALID = {
    "calling_country_code": "1",
    "country_code": "US",
    "phone_number": NUMBER,
    "national_format": "(555) 867-5310",
    "valid": True,
    "validation_errors": [],
    "caller_name": None,
    "line_type_intelligence": {"mobile_country_code": "310", "carrier_name": "Example", "type": "mobile"},
    "url": f"https://lookups.twilio.com/v2/PhoneNumbers/{NUMBER}",
}


async def look_up(answer: Any = None, **inputs: Any) -> tuple[dict[str, Any], list[httpx.URL]]:
    urls: list[httpx.URL] = []

    def handle(request: httpx.Request) -> httpx.Response:
        urls.append(request.url)
        return httpx.Response(200, json=answer or VALID)

    connection = create_connection("basic", {"username": "AC" + "c" * 32, "password": "token"})
    async with Host.discover(transport=httpx.MockTransport(handle)) as host:
        result = await host.invoke_action("twilio", "lookupPhoneNumber", {"twilioConnection": connection, **inputs})
    return result["data"], urls


async def test_a_number_is_validated_for_free() -> None:
    data, (url,) = await look_up(phoneNumber="+1 555 867 5310")
    assert (url.host, url.raw_path) == ("lookups.twilio.com", b"/v2/PhoneNumbers/%2B15558675310")
    assert (data["valid"], data["nationalFormat"], data["validationErrors"]) == (True, "(555) 867-5310", [])
    assert data["lineTypeIntelligence"] == {"mobileCountryCode": "310", "carrierName": "Example", "type": "mobile"}


async def test_packages_are_asked_for_by_name() -> None:
    packages = ["line_type_intelligence", "sim_swap"]
    _, (url,) = await look_up(phoneNumber=NUMBER, packages=packages)
    assert url.params["Fields"] == "line_type_intelligence,sim_swap"
    _, (url,) = await look_up(
        phoneNumber=NUMBER,
        packages="identity_match",
        identity={"firstName": "Ada", "postalCode": "10115"},
        lastVerifiedDate="20260131",
    )
    assert dict(url.params) == {
        "Fields": "identity_match",
        "FirstName": "Ada",
        "PostalCode": "10115",
        "LastVerifiedDate": "20260131",
    }


@pytest.mark.parametrize(
    ("given", "region", "path", "country"),
    [
        ("(605) 555-1212", "US", "+16055551212", None),
        ("030 901820", "DE", "+4930901820", None),
        ("+1555", "US", "+1555", None),  # Twilio says that it is too short
        ("123", "DE", "123", "DE"),
    ],
)
async def test_a_number_that_is_not_one_is_twilios_to_judge(
    given: str, region: str, path: str, country: str | None
) -> None:
    _, (url,) = await look_up(phoneNumber=given, defaultRegion=region)
    assert url.path == f"/v2/PhoneNumbers/{path}"
    assert url.params.get("CountryCode") == country


async def test_an_invalid_number_is_a_result() -> None:
    data, _ = await look_up({**VALID, "valid": False, "validation_errors": ["TOO_SHORT"]}, phoneNumber="+1555")
    assert (data["valid"], data["validationErrors"]) == (False, ["TOO_SHORT"])


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"phoneNumber": "call me"}, "not 'c'"),
        ({"phoneNumber": "12"}, "must be a phone number"),
        ({"phoneNumber": NUMBER, "packages": ["caller-id"]}, "call_forwarding, caller_name"),
        ({"phoneNumber": NUMBER, "identity": {"name": "Ada"}}, "name"),
        ({"phoneNumber": NUMBER, "lastVerifiedDate": "2026-01-31"}, "must be a date such as 20260131"),
    ],
)
async def test_what_cannot_be_looked_up_is_refused(inputs: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        await look_up(**inputs)
