"""Inbound messages: someone writes to a number, the application gets a webhook, and its response is executed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import urljoin

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Fields
from twilio_component.emulator.messaging.channel_details import ChannelDetails, channel_parameters, text_of_details
from twilio_component.emulator.messaging.sending import send
from twilio_component.emulator.messaging.twiml import Redirect, Reply, TwimlError, parse_twiml
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.message import Media, Message
from twilio_component.emulator.model.opt_outs import REPLIES, Keyword, keyword_of
from twilio_component.emulator.model.sids import new_sid
from twilio_component.emulator.webhooks.parameters import inbound_parameters
from twilio_component.emulator.webhooks.sender import Webhook
from twilio_component.twilio.segments import segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.model.messaging_service import MessagingService
    from twilio_component.emulator.model.phone_number import PhoneNumber
    from twilio_component.emulator.request_log import WebhookRecord
    from twilio_component.emulator.state import EmulatorState
    from twilio_component.emulator.webhooks.parameters import Parameters

_LOGGER = logging.getLogger(__name__)
_MOST_REDIRECTS = 10
_RETRIEVAL_FAILED = 11200


@dataclass(frozen=True, slots=True)
class _Target:
    """The URLs that an inbound message goes to."""

    url: str
    method: str
    fallback_url: str | None
    fallback_method: str

    @classmethod
    def of(cls, settings: Mapping[str, Any], url: str, method: str, fallback: str) -> _Target | None:
        """Read from a number's or a service's settings; the other arguments are the settings' names."""
        if not settings[url]:
            return None
        fallback_url, fallback_method = settings[f"{fallback}url"], settings[f"{fallback}method"]
        return cls(settings[url], settings[method] or "POST", fallback_url, fallback_method or "POST")


async def receive(
    state: EmulatorState,
    *,
    to: str,
    sender: str,
    body: str = "",
    media: Iterable[tuple[str, bytes]] = (),
    account: Account | None = None,
    parameters: Mapping[str, str] | None = None,
    waits: bool = True,
    **details: Unpack[ChannelDetails],
) -> Message:
    """Let ``sender`` write to the number ``to``, and carry out what the application responds; returns the message.

    ``media`` are files as (content type, bytes). ``parameters`` are added to those of the webhook, ``details`` are what
    channels have beside a text (see `ChannelDetails`). Unless it ``waits``, the application is told afterwards. Without
    ``account`` it is the one that has the number, or the default account. Raises `ApiError` for an address that is
    invalid, ValueError for details that it cannot have.
    """
    owner = _owner(state, to, account)
    number = owner.number_of(addresses.strip_channel(addresses.sender(to)))
    service = owner.service_of(addresses.sender(to))
    message = _message(
        owner, state.clock.now(), to=to, sender=sender, body=body or text_of_details(details), media=media
    )
    more = {**channel_parameters(owner, message, details), **(parameters or {})}
    message.messaging_service_sid = service.sid if service else None
    owner.messages.append(message)
    inbound = _Inbound(state, owner, message)
    keyword = keyword_of(message.body)
    if keyword is not None:
        inbound.apply_keyword(keyword, service.sid if service else message.to)
        more = {"OptOutType": keyword, **more} if service else more
    target = _target(number, service)
    if target is not None:
        webhook = inbound_parameters(message, state.base_url, more)
        if waits:
            await inbound.ask(target, webhook)
        else:
            state.clock.schedule(0, lambda: inbound.ask(target, webhook))
    return message


def has_webhook(state: EmulatorState, to: str, account: Account | None = None) -> bool:
    """Return whether a message to the number reaches an application. Raises `ApiError` as `receive` does."""
    owner, sender = _owner(state, to, account), addresses.sender(to)
    return _target(owner.number_of(addresses.strip_channel(sender)), owner.service_of(sender)) is not None


def failure_of_webhook(state: EmulatorState, message: Message) -> str | None:
    """Return why the application did not take an inbound message, by the last webhook for it; None where it did."""
    sent = [one for one in state.request_log.webhooks if (one.message_sid, one.kind) == (message.sid, "inbound")]
    return f"{sent[-1].method} {sent[-1].url}: {sent[-1].warnings[-1]}" if sent and sent[-1].warnings else None


def _owner(state: EmulatorState, to: str, account: Account | None) -> Account:
    return account or state.accounts.owner_of_number(addresses.strip_channel(to)) or state.accounts.default_account()


def _message(
    account: Account, now: float, *, to: str, sender: str, body: str, media: Iterable[tuple[str, bytes]]
) -> Message:
    files = [Media(new_sid("ME"), content_type, now, content=content) for content_type, content in media]
    return Message(
        sid=new_sid("MM" if files else "SM"),
        account_sid=account.sid,
        to=addresses.sender(to),
        sender=addresses.sender(sender),
        body=body,
        status="received",
        created=now,
        direction="inbound",
        sent=now,
        segments=segment(body).segments or 1,
        media=files,
    )


@dataclass(frozen=True, slots=True)
class _Inbound:
    """A message that has just come in, and all that follows from it."""

    state: EmulatorState
    account: Account
    message: Message

    def apply_keyword(self, keyword: Keyword, us: str) -> None:
        """Let STOP, START or HELP take effect at once; Twilio itself replies to them.

        YES is such a word, and often the answer to a question: who had not opted out is not told of being back.
        """
        them, opt_outs = self.message.sender or "", self.account.opt_outs
        if keyword == "START":
            if not opt_outs.forbid(them, us):
                return
            opt_outs.remove(us, them)
        if not opt_outs.forbid(them, us):
            self._send(Reply(REPLIES[keyword]))
        if keyword == "STOP":
            opt_outs.add(us, them)

    async def ask(self, target: _Target, parameters: Parameters) -> None:
        """Send the webhook to the application, and to the fallback URL where the first one fails."""
        failed = await self._follow(target.url, target.method, parameters)
        if failed is not None and target.fallback_url:
            code, url = failed
            more = (("ErrorCode", str(code)), ("ErrorUrl", url))
            await self._follow(target.fallback_url, target.fallback_method, parameters + more)

    async def _follow(self, url: str, method: str, parameters: Parameters) -> tuple[int, str] | None:
        """Ask a URL and those it redirects to, and carry out the responses; return the code and the URL that failed."""
        for _ in range(_MOST_REDIRECTS):
            record = await self.state.webhooks.send(Webhook.make(self.message, "inbound", url, method, parameters))
            try:
                redirect = self._carry_out(record)
            except TwimlError as error:
                record.warnings.append(f"{error.code}: {error}")
                _LOGGER.warning("the application did not take an inbound message: %s", error)
                return error.code, url
            if redirect is None:
                break
            url, method = urljoin(url, redirect.url), redirect.method
        return None

    def _carry_out(self, record: WebhookRecord) -> Redirect | None:
        """Send the replies that a response asks for; return the redirection that ends it, if any."""
        for verb in _verbs(record):
            if isinstance(verb, Redirect):
                return verb
            try:
                self._send(verb)
            except ApiError as error:
                record.warnings.append(f"{error.code}: {error}")
        return None

    def _send(self, reply: Reply) -> None:
        pairs = [("To", reply.to or self.message.sender or ""), ("From", reply.sender or self.message.to)]
        pairs += [("MediaUrl", url) for url in reply.media_urls]
        if reply.body or not reply.media_urls:
            pairs.append(("Body", reply.body))
        if reply.status_callback:
            pairs.append(("StatusCallback", reply.status_callback))
        send(self.state, self.account, Fields(pairs), "outbound-reply")


def _verbs(record: WebhookRecord) -> list[Reply | Redirect]:
    response = record.response
    if response is None:
        raise TwimlError(_RETRIEVAL_FAILED, record.error or "no response")
    if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's successes
        raise TwimlError(_RETRIEVAL_FAILED, f"HTTP {response.status}")
    content_type = next((value for name, value in response.headers.items() if name.lower() == "content-type"), "")
    return parse_twiml(content_type, response.body.decode("utf-8", "replace"))


def _target(number: PhoneNumber | None, service: MessagingService | None) -> _Target | None:
    """Return the URLs of the service that the number belongs to, if it has one, or else the number's."""
    if service is not None and not service.settings["use_inbound_webhook_on_number"]:
        target = _Target.of(service.settings, "inbound_request_url", "inbound_method", "fallback_")
        if target is not None:
            return target
    return None if number is None else _Target.of(number.settings, "sms_url", "sms_method", "sms_fallback_")
