"""TwiML in response to an inbound message: what to reply, and where to ask next."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from twilio_component.host.portable_error import PortableError


@dataclass(frozen=True, slots=True)
class Reply:
    """A message to send: to the one who wrote, from the number that was written to, unless it says otherwise."""

    body: str
    media_urls: list[str] = field(default_factory=list)
    to: str | None = None
    sender: str | None = None
    status_callback: str | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Ask another URL for the rest; nothing after it counts."""

    url: str
    method: str = "POST"


class TwimlError(PortableError):
    """TwiML that cannot be executed; ``code`` is Twilio's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_twiml(content_type: str, body: str) -> list[Reply | Redirect]:
    """Return the verbs of an application's response; `TwimlError` where it is not TwiML. Plain text is one reply."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        return []
    if media_type == "text/plain":
        return [Reply(body)]
    if media_type not in ("text/xml", "application/xml", "text/html"):
        raise TwimlError(12300, f"the content type {media_type or 'of the response is missing, which'} is not TwiML's")
    return [_verb(element) for element in _response(body)]


def _response(body: str) -> ET.Element:
    if "<!DOCTYPE" in body:
        raise TwimlError(12100, "a document type declaration does not belong into TwiML")
    try:
        response = ET.fromstring(body)  # noqa: S314 - without a DOCTYPE there are no entities to expand
    except ET.ParseError as error:
        raise TwimlError(12100, f"not well-formed XML: {error}") from None
    if response.tag != "Response":
        raise TwimlError(12100, f"the root element must be Response, not {response.tag}")
    return response


def _verb(element: ET.Element) -> Reply | Redirect:
    if element.tag in ("Message", "Sms"):
        own_text = (element.text or "").strip()
        body = "".join("".join(part.itertext()) for part in element.findall("Body")) or own_text
        media = [(part.text or "").strip() for part in element.findall("Media")]
        attributes = element.attrib
        return Reply(body, media, attributes.get("to"), attributes.get("from"), attributes.get("statusCallback"))
    if element.tag == "Redirect":
        return Redirect((element.text or "").strip(), element.attrib.get("method", "POST").upper())
    raise TwimlError(12200, f"{element.tag} is not a verb for messages; Message and Redirect are")
