"""Where Twilio keeps the URL of a webhook: at a phone number, or at a messaging service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.twilio.redaction import mask_numbers
from twilio_component.twilio.signatures.webhook_url import WebhookUrl

if TYPE_CHECKING:
    from twilio_component.twilio.client import TwilioClient

Settings = dict[str, str]
"""What a resource says of its webhook, as the parameters that would set it again; nothing is an empty text."""

# New numbers come with it: Twilio's own answer to whoever has not set anything.
_UNSET = ("https://demo.twilio.com/", "http://demo.twilio.com/")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of place.

    ``keys`` has for each parameter its key in the resource, ``fixed`` what the parameters are set to beside ``url``,
    the URL's own. ``overruling`` names the parameter that, when it is ``on``, makes Twilio ignore the URL.
    """

    name: str
    product: str
    keys: Mapping[str, str]
    url: str
    fixed: Mapping[str, str]
    overruling: str = ""

    def settings(self, resource: Mapping[str, Any]) -> Settings:
        """A resource's settings."""
        return {parameter: _text(resource.get(key)) for parameter, key in self.keys.items()}

    def wanted(self, url: str) -> Settings:
        """The settings that lead to ``url``."""
        return {self.url: url, **self.fixed}

    def target(self, settings: Mapping[str, str]) -> tuple[str, str]:
        """Where settings lead, however: what overrules the URL, if anything, and the URL as it is sent."""
        overruled = settings[self.overruling] if self.overruling else ""
        return ("" if overruled == "false" else overruled), settings[self.url].partition("#")[0]

    def shown(self, settings: Mapping[str, str]) -> str | None:
        """Where settings lead, for a log: no query value, no number; None for nowhere."""
        overruled, url = self.target(settings)
        if overruled:
            return "the webhooks of its numbers" if overruled == "true" else f"the TwiML application {overruled}"
        if not url or url.startswith(_UNSET):
            return None
        try:
            return WebhookUrl.parse(url).masked()
        except ValueError:
            return "something that is no http URL"


NUMBER = Kind(
    "phoneNumber",
    "api",
    {"SmsUrl": "sms_url", "SmsMethod": "sms_method", "SmsApplicationSid": "sms_application_sid"},
    "SmsUrl",
    {"SmsMethod": "POST", "SmsApplicationSid": ""},
    overruling="SmsApplicationSid",
)
SERVICE = Kind(
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
SERVICE_STATUS = Kind(
    "messagingServiceStatus", "messaging", {"StatusCallback": "status_callback"}, "StatusCallback", {}
)
KINDS = {kind.name: kind for kind in (NUMBER, SERVICE, SERVICE_STATUS)}


@dataclass(frozen=True, slots=True)
class Place:
    """One place. ``name`` is what it is called in sentences: no whole phone number."""

    kind: Kind
    sid: str
    name: str

    @property
    def key(self) -> str:
        """What tells it from others."""
        return f"{self.kind.name}/{self.sid}"

    async def read(self, client: TwilioClient) -> Settings:
        """Its settings now; raises ``NotFoundError`` when it is gone."""
        return self.kind.settings(await client.call("GET", self._path(client), product=self.kind.product))

    async def write(self, client: TwilioClient, settings: Mapping[str, str]) -> Settings:
        """Set them, which does no harm when it is done twice; the settings as Twilio then has them."""
        answer = await client.call(
            "POST", self._path(client), form=[*settings.items()], idempotent=True, product=self.kind.product
        )
        return self.kind.settings(answer)

    def _path(self, client: TwilioClient) -> str:
        if self.kind is NUMBER:
            return f"{client.account_path}/IncomingPhoneNumbers/{self.sid}.json"
        return f"/v1/Services/{self.sid}"


async def number_place(client: TwilioClient, number: str) -> Place | None:
    """The place of one of the account's numbers, by the number itself (E.164)."""
    path, params = f"{client.account_path}/IncomingPhoneNumbers.json", [("PhoneNumber", number)]
    async for page in client.pages(path, "incoming_phone_numbers", params):
        for resource in page:
            # Twilio's filter also finds numbers that this one is a part of.
            if resource["phone_number"] == number:
                return Place(NUMBER, resource["sid"], f"the phone number {mask_numbers(number)} ({resource['sid']})")
    return None


def service_place(sid: str, kind: Kind) -> Place:
    """The place of a messaging service."""
    return Place(kind, sid, f"the messaging service {sid}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
