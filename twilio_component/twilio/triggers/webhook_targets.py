"""Where Twilio stores the URL of a webhook: at a phone number or at a messaging service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.twilio.redaction import mask_numbers
from twilio_component.twilio.signatures.webhook_url import WebhookUrl

if TYPE_CHECKING:
    from twilio_component.twilio.client import TwilioClient

WebhookSettings = dict[str, str]
"""A resource's webhook, as the parameters that would set it again; an absent value is an empty text."""

# New numbers come with this webhook of Twilio's, which counts as none.
_UNSET = ("https://demo.twilio.com/", "http://demo.twilio.com/")


@dataclass(frozen=True, slots=True)
class TargetKind:
    """A kind of target: which parameters hold its webhook.

    ``keys`` maps each parameter to its key in the resource; ``url`` is the parameter of the URL, ``fixed`` are the
    values of the others. ``overruling`` names the parameter that, when it is set, makes Twilio ignore the URL.
    """

    name: str
    product: str
    keys: Mapping[str, str]
    url: str
    fixed: Mapping[str, str]
    overruling: str = ""

    def settings(self, resource: Mapping[str, Any]) -> WebhookSettings:
        """Return a resource's settings."""
        return {parameter: _text(resource.get(key)) for parameter, key in self.keys.items()}

    def settings_for(self, url: str) -> WebhookSettings:
        """Return the settings that point to ``url``."""
        return {self.url: url, **self.fixed}

    def destination(self, settings: Mapping[str, str]) -> tuple[str, str]:
        """Return what settings point to: what overrules the URL, if anything, and the URL as Twilio requests it."""
        overruled = settings[self.overruling] if self.overruling else ""
        return ("" if overruled == "false" else overruled), settings[self.url].partition("#")[0]

    def display(self, settings: Mapping[str, str]) -> str | None:
        """Return what settings point to, for a log, without query values and phone numbers; None for nothing."""
        overruled, url = self.destination(settings)
        if overruled:
            return "the webhooks of its numbers" if overruled == "true" else f"the TwiML application {overruled}"
        if not url or url.startswith(_UNSET):
            return None
        try:
            return WebhookUrl.parse(url).mask()
        except ValueError:
            return "something that is not an http URL"


NUMBER = TargetKind(
    "phoneNumber",
    "api",
    {"SmsUrl": "sms_url", "SmsMethod": "sms_method", "SmsApplicationSid": "sms_application_sid"},
    "SmsUrl",
    {"SmsMethod": "POST", "SmsApplicationSid": ""},
    overruling="SmsApplicationSid",
)
SERVICE = TargetKind(
    "messagingService",
    "messaging",
    {
        "InboundRequestUrl": "inbound_request_url",
        "InboundMethod": "inbound_method",
        "UseInboundWebhookOnNumber": "use_inbound_webhook_on_number",
    },
    "InboundRequestUrl",
    {"InboundMethod": "POST", "UseInboundWebhookOnNumber": "false"},
    overruling="UseInboundWebhookOnNumber",
)
SERVICE_STATUS = TargetKind(
    "messagingServiceStatus", "messaging", {"StatusCallback": "status_callback"}, "StatusCallback", {}
)
KINDS = {kind.name: kind for kind in (NUMBER, SERVICE, SERVICE_STATUS)}


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A resource that holds a webhook. ``name`` stands for it in sentences, without a whole phone number."""

    kind: TargetKind
    sid: str
    name: str

    @property
    def key(self) -> str:
        """The target's unique key."""
        return f"{self.kind.name}/{self.sid}"

    async def read(self, client: TwilioClient) -> WebhookSettings:
        """Return the current settings; raises ``NotFoundError`` when the resource does not exist."""
        return self.kind.settings(await client.call("GET", self._path(client), product=self.kind.product))

    async def write(self, client: TwilioClient, settings: Mapping[str, str]) -> WebhookSettings:
        """Set the webhook and return the settings that Twilio then has; doing it twice does no harm."""
        resource = await client.call(
            "POST", self._path(client), form=[*settings.items()], idempotent=True, product=self.kind.product
        )
        return self.kind.settings(resource)

    def _path(self, client: TwilioClient) -> str:
        if self.kind is NUMBER:
            return f"{client.account_path}/IncomingPhoneNumbers/{self.sid}.json"
        return f"/v1/Services/{self.sid}"


async def find_number_target(client: TwilioClient, number: str) -> WebhookTarget | None:
    """Return the target of one of the account's phone numbers (E.164), or None when the account has no such number."""
    path, params = f"{client.account_path}/IncomingPhoneNumbers.json", [("PhoneNumber", number)]
    async for page in client.pages(path, "incoming_phone_numbers", params):
        for resource in page:
            # Twilio's filter also finds longer numbers that contain this one.
            if resource["phone_number"] == number:
                return WebhookTarget(
                    NUMBER, resource["sid"], f"the phone number {mask_numbers(number)} ({resource['sid']})"
                )
    return None


def service_target(sid: str, kind: TargetKind) -> WebhookTarget:
    """Return the target of a messaging service."""
    return WebhookTarget(kind, sid, f"the messaging service {sid}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
