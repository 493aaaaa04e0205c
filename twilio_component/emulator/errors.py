"""The API errors that the emulator knows: Twilio's code, HTTP status and wording of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.emulator.http import Response, json_response
from twilio_component.host.portable_error import PortableError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAST_CODE, _LARGEST_CODE = 10_000, 999_999
# code: (HTTP status, text; what stands in braces is filled in where the error is raised)
_ERRORS: dict[int, tuple[int, str]] = {
    20001: (400, "Invalid parameter {name}: {reason}"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20005: (403, "Account {sid} is not active"),
    20008: (403, "Resource not accessible with Test Account Credentials"),
    20009: (409, "Cannot {verb} message because delivery has not been completed."),
    20404: (404, "The requested resource {path} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    20503: (503, "Service Unavailable"),
    21211: (400, "Invalid 'To' Phone Number: {to}"),
    21212: (400, "The 'From' number {sender} is not a valid phone number, shortcode, or alphanumeric sender ID."),
    21265: (400, "'To' number cannot be a Short Code: {to}"),
    21266: (400, "'To' and 'From' number cannot be the same: {to}"),
    21404: (404, "Phone number {sid} was not found"),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}"),
    21421: (400, "PhoneNumber {number} is not valid"),
    21422: (400, "PhoneNumber {number} is not available"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number {sender} is not a valid, message-capable Twilio phone number."),
    21609: (400, "The 'StatusCallback' URL {url} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (
        400,
        "Message cannot be sent with the current combination of 'To' ({to}) and/or 'From' ({sender}) parameters",
    ),
    21614: (400, "To number: {to}, is not a mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21619: (400, "A text message body or media urls must be specified."),
    21620: (400, "Invalid media URL(s): {url}"),
    21623: (400, "Number of media files exceeds allowed limit of 10"),
    21654: (400, "The ContentSid parameter is required with ContentVariables"),
    21655: (400, "The ContentSid {sid} is Invalid"),
    21656: (400, "The Content Variables parameter is invalid."),
    21660: (400, "Mismatch between the 'From' number {sender} and the account {account}"),
    21664: (400, "'FallbackFrom' cannot be used with a 'From' sender"),
    21665: (400, "Invalid 'FallbackFrom' sender"),
    21666: (400, "'FallbackFrom' requires MessagingServiceSid"),
    21667: (400, "'FallbackFrom' requires the Messaging Service to have an RCS Sender"),
    21701: (404, "The Messaging Service {sid} does not exist"),
    21703: (400, "The Messaging Service {sid} does not contain any phone numbers"),
    21705: (400, "The Messaging Service Sid {sid} is invalid."),
    21710: (409, "Phone number is already in the Messaging Service"),
    21910: (400, "Invalid 'From' and 'To' pair. 'From' and 'To' should be of the same channel"),
    30409: (400, "Message {sid} is not in a cancelable state: it is {status}"),
    35111: (400, "The 'SendAt' parameter is required with 'ScheduleType'"),
    35114: (400, "SendAt timestamp must be between 300 and 3024000 seconds in the future"),
    35115: (400, "The 'ScheduleType' parameter must be 'fixed'"),
    60200: (400, "Invalid parameter `{name}`: {reason}"),
    60202: (429, "Max check attempts reached"),
    60203: (429, "Max send attempts reached"),
    60204: (403, "Service does not support this feature"),
    60205: (403, "SMS is not supported by landline phone number"),
    60206: (400, "`Amount` & `Payee` params are required"),
    60207: (429, "Max rate limit reached"),
    60600: (400, "Invalid parameter `{name}`: {reason}"),
    35118: (400, "MessagingServiceSid is required to schedule a message"),
}


class ApiError(PortableError):
    """An error that Twilio's API responds with. ``str()`` is the message; ``facts`` fill its blanks."""

    def __init__(self, code: int, *, headers: Mapping[str, str] | None = None, **facts: Any) -> None:
        self.status, text = _ERRORS[code]
        super().__init__(text.format(**facts))
        self.code = code
        self.headers = headers or {}

    def response(self) -> Response:
        """Return the JSON response that Twilio's clients read."""
        return error_response(self.status, self.code, str(self), self.headers)


def error_response(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error in Twilio's shape: ``code``, ``message``, ``more_info`` and ``status``."""
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return json_response(status, {"code": code, "message": message, "more_info": more_info, "status": status}, headers)


class NotThereError(Exception):
    """A request to the control API names a thing that does not exist, or no longer. ``str()`` says which."""


def check_code(code: int) -> None:
    """Raise ValueError for a number that cannot be one of Twilio's codes."""
    if not _LEAST_CODE <= code <= _LARGEST_CODE:
        raise ValueError(f"a code of Twilio has five or six digits, unlike {code}")
