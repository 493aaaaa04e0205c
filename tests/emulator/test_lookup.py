"""Lookup: the form of a number, and what a test has said about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator


def look_up(api: Any, number: str, **parameters: str) -> Any:
    url = f"https://lookups.twilio.com/v2/PhoneNumbers/{number}"
    return api.request("GET", url, params=parameters).json()


def test_the_form_of_a_number_is_reported_for_free(api: Any) -> None:
    found = look_up(api, "%2B14159929960")
    assert found["url"].endswith("/v2/PhoneNumbers/+14159929960")
    del found["url"]
    packages = {name for name, value in found.items() if value is None}
    assert {name: value for name, value in found.items() if name not in packages} == {
        "calling_country_code": "1",
        "country_code": "US",
        "phone_number": "+14159929960",
        "national_format": "(415) 992-9960",
        "valid": True,
        "validation_errors": [],
    }
    assert "caller_name" in packages


@pytest.mark.parametrize(
    ("number", "errors"),
    [
        ("%2B1415", ["TOO_SHORT"]),
        ("%2B141599299601234", ["TOO_LONG"]),
        ("%2B11111111111", ["INVALID_BUT_POSSIBLE"]),
        ("%2B99912345678", ["INVALID_COUNTRY_CODE"]),
        ("hello", ["NOT_A_NUMBER"]),
    ],
)
def test_what_is_wrong_with_a_number_is_reported(api: Any, number: str, errors: list[str]) -> None:
    found = look_up(api, number)
    assert (found["valid"], found["validation_errors"]) == (False, errors)


def test_a_national_number_is_that_of_its_country(api: Any) -> None:
    found = look_up(api, "030 123456", CountryCode="DE")
    assert (found["phone_number"], found["country_code"]) == ("+4930123456", "DE")
    assert look_up(api, "1", CountryCode="XX")["code"] == 60600


def test_packages_say_what_a_test_has_said(api: Any, emulator: Emulator) -> None:
    emulator.lookups.add_facts("+14159929960", caller_name={"caller_name": "ADA", "caller_type": "CONSUMER"})
    wanted = {"number": "+14159929960", "sim_swap": {"error_code": 60606}}
    assert api.request("POST", "/_emulator/lookups", json=wanted).status_code == 204
    found = look_up(api, "%2B14159929960", Fields="caller_name,sim_swap,line_type_intelligence")
    assert found["caller_name"] == {"caller_name": "ADA", "caller_type": "CONSUMER", "error_code": None}
    assert found["sim_swap"]["error_code"] == 60606
    assert found["line_type_intelligence"]["type"] == "mobile"
    assert found["line_status"] is None
    assert set(api.request("GET", "/_emulator/lookups").json()["lookups"]) == {"+14159929960"}
    assert (
        look_up(api, "%2B442079460000", Fields="line_type_intelligence")["line_type_intelligence"]["type"] == "landline"
    )


def test_a_package_that_does_not_exist_is_refused(api: Any, emulator: Emulator) -> None:
    assert look_up(api, "%2B14159929960", Fields="caller_name,shoe_size")["code"] == 60600
    with pytest.raises(ValueError, match="Lookup has no shoe_size; it has caller_name"):
        emulator.lookups.add_facts("+14159929960", shoe_size={})
    refused = api.request("POST", "/_emulator/lookups", json={"number": "+14159929960", "sim_swap": 1})
    assert (refused.status_code, "each package is an object" in refused.json()["error"]) == (400, True)
