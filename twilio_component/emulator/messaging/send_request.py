"""What a request to send says, read and checked as far as it can be without knowing the account."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.sids import is_sid

if TYPE_CHECKING:
    from twilio_component.emulator.http import Fields

MAXIMUM_BODY = 1600
MAXIMUM_MEDIA = 10
LONGEST_VALIDITY = 36_000
# Twilio's pages disagree about the minimum (300 s or 15 min); the emulator refuses only what all of them refuse.
SCHEDULE_FROM, SCHEDULE_UNTIL = 300, 35 * 24 * 3600


@dataclass(slots=True)
class Outgoing:
    """A message that someone wants to send, after the checks of its form. ``body`` may still come from a template."""

    to: str
    sender: str | None
    messaging_service_sid: str | None = None
    body: str = ""
    media_urls: list[str] = field(default_factory=list)
    content_sid: str | None = None
    content_variables: dict[str, str] = field(default_factory=dict)
    status_callback: str | None = None
    validity_period: int | None = None
    send_at: float | None = None
    fallback: str | None = None
    provide_feedback: bool = False
    discards_content: bool = False
    obfuscates_address: bool = False

    @classmethod
    def parse(cls, form: Fields, now: float) -> Outgoing:
        """Read the form of a send; raises the `ApiError` that Twilio's documentation names for what is wrong."""
        to = form.get("To")
        if not to:
            raise ApiError(21604)
        sender = form.get("From") or None
        service = form.get("MessagingServiceSid") or None
        if sender is None and service is None:
            raise ApiError(21603)
        if service is not None and not is_sid(service, "MG"):
            raise ApiError(21705, sid=service)
        fallback = form.get("FallbackFrom") or None
        if fallback is not None:
            _check_fallback(fallback, sender, service)
        outgoing = cls(
            to=addresses.recipient(to),
            sender=addresses.sender(sender) if sender else None,
            messaging_service_sid=service,
            body=_body(form),
            media_urls=_media_urls(form),
            content_sid=_content_sid(form),
            content_variables=_content_variables(form),
            status_callback=_status_callback(form),
            validity_period=_validity_period(form),
            send_at=_send_at(form, now),
            fallback=fallback,
            provide_feedback=form.get("ProvideFeedback") == "true",
            discards_content=form.get("ContentRetention") == "discard",
            obfuscates_address=form.get("AddressRetention") == "obfuscate",
        )
        outgoing._check_pair()
        return outgoing

    def _check_pair(self) -> None:
        if self.sender is None:
            return
        if self.sender == self.to:
            raise ApiError(21266, to=self.to)
        channels = addresses.channel_of(self.sender), addresses.channel_of(self.to)
        if channels[0] != channels[1] and not set(channels) <= {"rcs", None}:
            raise ApiError(21910)


def media_type_of(url: str) -> str:
    """Return what the file behind a URL probably is, by its name; ``image/jpeg`` where the name does not tell."""
    return mimetypes.guess_type(urlsplit(url).path)[0] or "image/jpeg"


def _check_fallback(fallback: str, sender: str | None, service: str | None) -> None:
    if service is None:
        raise ApiError(21666)
    if sender is not None:
        raise ApiError(21664)
    try:
        is_sms = addresses.channel_of(addresses.sender(fallback)) is None
    except ApiError:
        is_sms = False
    if not is_sms:
        raise ApiError(21665)


def _body(form: Fields) -> str:
    body = form.get("Body")
    if not body and not form.getlist("MediaUrl") and not form.get("ContentSid"):
        raise ApiError(21619 if body is None else 21602)
    if len(body or "") > MAXIMUM_BODY:
        raise ApiError(21617)
    return body or ""


def _media_urls(form: Fields) -> list[str]:
    urls = form.getlist("MediaUrl")
    if len(urls) > MAXIMUM_MEDIA:
        raise ApiError(21623)
    for url in urls:
        if not _is_web_url(url):
            raise ApiError(21620, url=url)
    return urls


def _content_sid(form: Fields) -> str | None:
    sid = form.get("ContentSid") or None
    if sid is not None and not is_sid(sid, "HX"):
        raise ApiError(21655, sid=sid)
    return sid


def _content_variables(form: Fields) -> dict[str, str]:
    text = form.get("ContentVariables")
    if not text:
        return {}
    if not form.get("ContentSid"):
        raise ApiError(21654)
    try:
        variables = json.loads(text)
    except ValueError:
        raise ApiError(21656) from None
    if not isinstance(variables, dict) or not all(isinstance(one, str) and one for one in variables.values()):
        raise ApiError(21656)
    return variables


def _status_callback(form: Fields) -> str | None:
    url = form.get("StatusCallback") or None
    if url is not None and not _is_web_url(url):
        raise ApiError(21609, url=url)
    return url


def _validity_period(form: Fields) -> int | None:
    text = form.get("ValidityPeriod")
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_VALIDITY:
        raise ApiError(20001, name="ValidityPeriod", reason=f"an integer from 1 to {LONGEST_VALIDITY} is allowed")
    return int(text)


def _send_at(form: Fields, now: float) -> float | None:
    """Return when to send, in seconds since 1970; without a messaging service Twilio schedules nothing."""
    schedule, send_at = form.get("ScheduleType"), form.get("SendAt")
    if not schedule and not send_at:
        return None
    if not form.get("MessagingServiceSid"):
        raise ApiError(35118)
    if schedule != "fixed":
        raise ApiError(35115)
    if not send_at:
        raise ApiError(35111)
    moment = _timestamp(send_at)
    if moment is None or not SCHEDULE_FROM <= moment - now <= SCHEDULE_UNTIL:
        raise ApiError(35114)
    return moment


def _timestamp(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
