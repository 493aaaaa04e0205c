"""Webhooks: signed, sent, repeated where their URL asks for it, and logged."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from twilio_component.emulator.request_log import WebhookRecord
from twilio_component.emulator.rules import Subject
from twilio_component.emulator.webhooks.parameters import Parameters, status_parameters
from twilio_component.emulator.webhooks.retry_policy import WebhookPolicy
from twilio_component.emulator.webhooks.transports import UndeliverableError, WebhookRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.faults import Faults
    from twilio_component.emulator.http import Response
    from twilio_component.emulator.model.accounts import Account, Accounts
    from twilio_component.emulator.model.message import Message
    from twilio_component.emulator.request_log import RequestLog
    from twilio_component.emulator.webhooks.transports import WebhookTransport

KINDS = ("status", "inbound", "event")


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook: ``kind`` is one of ``KINDS``; all its attempts carry ``token``.

    ``message_sid`` is empty for an event that no message is behind.
    """

    account_sid: str
    message_sid: str
    kind: str
    url: str
    method: str
    parameters: Parameters
    token: str

    @classmethod
    def make(cls, message: Message, kind: str, url: str, method: str, parameters: Parameters) -> Webhook:
        """Return a webhook with a token of its own."""
        return cls(message.account_sid, message.sid, kind, url, method.upper(), parameters, str(uuid.uuid4()))

    @classmethod
    def of_event(cls, account_sid: str, url: str, method: str, parameters: Parameters) -> Webhook:
        """Return a webhook that tells of something else than a message of the account."""
        message_sid = dict(parameters).get("MessageSid", "")
        return cls(account_sid, message_sid, "event", url, method.upper(), parameters, str(uuid.uuid4()))


# Twilio documents how often a webhook is repeated and how long that may take, not the waits. These use the time well:
# the last of five retries comes 13.5 of the 15 seconds after the first attempt.
RETRY_WAITS = (0.5, 1.0, 2.0, 4.0, 6.0)


class Webhooks:
    """Sends webhooks through ``transport`` and logs them.

    ``retry_waits`` are the seconds before each retry; without them the retries follow at once.
    """

    def __init__(
        self, clock: Clock, accounts: Accounts, request_log: RequestLog, faults: Faults, transport: WebhookTransport
    ) -> None:
        self._clock = clock
        self._accounts = accounts
        self._request_log = request_log
        self._faults = faults
        self.transport = transport
        self.retry_waits: Sequence[float] = RETRY_WAITS
        self._held: dict[str, Webhook] = {}

    async def send_status(self, message: Message) -> None:
        """Send the status callback of a message that has entered a new state, if it has one."""
        url = self._status_url(message)
        if url is None:
            return
        webhook = Webhook.make(message, "status", url, "POST", status_parameters(message))
        subject = Subject(None, message.to, message.sender, message.body)
        held = self._held.pop(message.sid, None)
        if held is None and any(rule.applies_to(subject) for rule in self._faults.swapped_callbacks):
            self._held[message.sid] = webhook
            return
        await self.send(webhook)
        if any(rule.applies_to(subject) for rule in self._faults.doubled_callbacks):
            await self.send(webhook)
        if held is not None:
            await self.send(held)

    def clear(self) -> None:
        """Forget what is held back."""
        self._held.clear()

    async def send(self, webhook: Webhook) -> WebhookRecord:
        """Send a webhook, with the retries that its URL asks for; return the record of the last attempt.

        No attempt begins after the total time that the URL allows.
        """
        policy = WebhookPolicy.parse(webhook.url)
        request = self._webhook_request(webhook, policy)
        ends_at = self._clock.now() + policy.total_seconds
        attempt = 0
        while True:
            record, outcome = await self._attempt(webhook, request, attempt, ends_at)
            attempt += 1
            wait = self.retry_waits[attempt - 1] if attempt <= len(self.retry_waits) else 0.0
            has_time = self._clock.now() + wait < ends_at
            if attempt > policy.retries or not policy.repeats_after(outcome) or not has_time:
                return record
            await self._clock.wait(wait)

    def _webhook_request(self, webhook: Webhook, policy: WebhookPolicy) -> WebhookRequest:
        account = self._accounts.get(webhook.account_sid)
        url, form = policy.url, webhook.parameters
        if webhook.method == "GET":
            url, form = f"{url}{'&' if '?' in url else '?'}{urlencode(form)}", ()
        headers = {
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "I-Twilio-Idempotency-Token": webhook.token,
            **account.signature_headers(url, form),
        }
        return WebhookRequest(webhook.method, url, form, headers, policy.connect_seconds, policy.read_seconds)

    async def _attempt(
        self, webhook: Webhook, request: WebhookRequest, attempt: int, ends_at: float
    ) -> tuple[WebhookRecord, int | str]:
        response: Response | None = None
        error: str | None = None
        seconds = max(0.0, min(request.connect_seconds + request.read_seconds, ends_at - self._clock.now()))
        try:
            async with asyncio.timeout(seconds):
                response = await self.transport.send(request)
            outcome: int | str = response.status
        except UndeliverableError as failure:
            error, outcome = str(failure), failure.kind
        except TimeoutError:
            error, outcome = f"no response within {min(request.read_seconds, seconds):.3g} s", "rt"
        record = WebhookRecord(
            number=self._request_log.next_number(),
            at=self._clock.now(),
            message_sid=webhook.message_sid,
            kind=webhook.kind,
            method=request.method,
            url=request.url,
            parameters=webhook.parameters,
            headers=request.all_headers,
            attempt=attempt + 1,
            response=response,
            error=error,
        )
        self._request_log.add_webhook(record)
        return record, outcome

    def _status_url(self, message: Message) -> str | None:
        if message.status_callback or message.messaging_service_sid is None:
            return message.status_callback
        account: Account = self._accounts.get(message.account_sid)
        service = account.services.get(message.messaging_service_sid)
        return (service.settings["status_callback"] or None) if service else None
