"""Twilio Verify: sends one-time codes, and checks what the recipient entered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.twilio.client import client_for
from twilio_component.twilio.parameters import parameters
from twilio_component.twilio.payloads import nested_resource

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_PARAMETERS = {
    "to": "To",
    "channel": "Channel",
    "locale": "Locale",
    "customFriendlyName": "CustomFriendlyName",
    "templateSid": "TemplateSid",
    "templateCustomSubstitutions": "TemplateCustomSubstitutions",
    "sendDigits": "SendDigits",
    "rateLimits": "RateLimits",
    "riskCheck": "RiskCheck",
    "appHash": "AppHash",
    "deviceIp": "DeviceIp",
}
_CHECK = {"to": "To", "verificationSid": "VerificationSid", "code": "Code"}


async def start(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Send a code to the recipient and return the verification, whose status is ``pending``.

    Starting again while a verification is pending sends the same code again. Raises ``TwilioAPIError`` when Twilio
    refuses it (60203 after five codes, 60410 for a destination that is blocked against fraud), and
    ``OutcomeUnknownError`` when a code may have been sent.
    """
    client = client_for(context, inputs["twilioConnection"])
    path = f"/v2/Services/{inputs['serviceSid']}/Verifications"
    form = parameters(inputs, _PARAMETERS)
    return nested_resource(await client.call("POST", path, form=form, product="verify"))


async def check(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Check a code and return the verification: ``valid`` is true and the status ``approved`` for the right one.

    The code appears in no log, error or result. Raises ``NotFoundError`` when no verification is pending: it was
    approved or canceled, or is older than ten minutes; and ``TwilioAPIError`` 60202 after five wrong codes.
    """
    client = client_for(context, inputs["twilioConnection"])
    path = f"/v2/Services/{inputs['serviceSid']}/VerificationCheck"
    form = parameters(inputs, _CHECK)
    response = await client.call("POST", path, form=form, product="verify", confidential=(inputs["code"],))
    return nested_resource(response)
