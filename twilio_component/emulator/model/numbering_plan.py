"""The form of phone numbers, as the numbering plans have it. Importing this loads the plans."""

from __future__ import annotations

from typing import Any

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType, ValidationResult

_LINE_TYPES = {
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "mobile",
    PhoneNumberType.TOLL_FREE: "tollFree",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "sharedCost",
    PhoneNumberType.VOIP: "nonFixedVoip",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
_POSSIBILITY = {
    ValidationResult.TOO_SHORT: "TOO_SHORT",
    ValidationResult.TOO_LONG: "TOO_LONG",
    ValidationResult.INVALID_COUNTRY_CODE: "INVALID_COUNTRY_CODE",
    ValidationResult.INVALID_LENGTH: "INVALID_LENGTH",
}


def is_region(region: str) -> bool:
    """Return whether ``region`` is the code of a country or region with phone numbers."""
    return region in phonenumbers.SUPPORTED_REGIONS


def describe_number(text: str, region: str) -> dict[str, Any]:
    """Return the parts of the PhoneNumber resource that the form of a number decides."""
    number, errors = _parse(text, region)
    if number is None:
        form: dict[str, Any] = dict.fromkeys(("calling_country_code", "country_code", "national_format"))
        form["phone_number"] = text
    else:
        form = {
            "calling_country_code": str(number.country_code),
            "country_code": phonenumbers.region_code_for_number(number),
            "phone_number": phonenumbers.format_number(number, PhoneNumberFormat.E164),
            "national_format": phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
        }
    return {**form, "valid": not errors, "validation_errors": errors}


def line_type_of(e164: str) -> str:
    """Return the line type that the plan gives to a number, in Lookup's words."""
    try:
        number = phonenumbers.parse(e164)
    except NumberParseException:
        return "unknown"
    return _LINE_TYPES.get(phonenumbers.number_type(number), "unknown")


def _parse(text: str, region: str) -> tuple[phonenumbers.PhoneNumber | None, list[str]]:
    """Return the number, if there is one, and Twilio's words for what is wrong with it."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            return None, ["INVALID_COUNTRY_CODE"]
        is_long = error.error_type == NumberParseException.TOO_LONG
        is_short = error.error_type in (NumberParseException.TOO_SHORT_NSN, NumberParseException.TOO_SHORT_AFTER_IDD)
        return None, ["TOO_LONG" if is_long else "TOO_SHORT" if is_short else "NOT_A_NUMBER"]
    possible = _POSSIBILITY.get(phonenumbers.is_possible_number_with_reason(number))
    if possible is not None:
        return number, [possible]
    return number, [] if phonenumbers.is_valid_number(number) else ["INVALID_BUT_POSSIBLE"]
