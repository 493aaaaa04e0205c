"""The emulator: one object that answers requests, in process or over a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from twilio_component.emulator import assertions
from twilio_component.emulator.api.router import match, respond
from twilio_component.emulator.change_feed import Feed
from twilio_component.emulator.clock import Clock
from twilio_component.emulator.control import api, static
from twilio_component.emulator.faults import Faults
from twilio_component.emulator.http import Request, Response
from twilio_component.emulator.messaging.inbound import receive
from twilio_component.emulator.messaging.lifecycle import Life
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.accounts import Account, Accounts
from twilio_component.emulator.model.content_template import ContentTemplate
from twilio_component.emulator.model.message import Media, Message
from twilio_component.emulator.model.messaging_service import MessagingService
from twilio_component.emulator.model.phone_number import PhoneNumber
from twilio_component.emulator.model.sids import new_sid
from twilio_component.emulator.request_log import DEFAULT_LIMIT, Journal, RequestRecord, WebhookRecord
from twilio_component.emulator.rules import Subject
from twilio_component.emulator.state import EmulatorState
from twilio_component.emulator.webhooks.sender import Webhooks
from twilio_component.emulator.webhooks.transports import (
    FunctionPostman,
    HttpPostman,
    TransportPostman,
    WebhookRequest,
    WebhookTransport,
)
from twilio_component.twilio.segments import segment

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    import httpx

    from twilio_component.emulator.server.server import Server, ServerInThread


class Emulator:
    """Twilio's Messages API on this machine.

    Any well-formed Account SID or API key with any secret works until `accounts.declare` is called. ``start``
    freezes the clock there; without it dates are those of the machine. ``webhooks`` is where status callbacks and
    inbound messages go: a function that gets a `WebhookRequest` and returns a `Response` (or awaits one), an httpx
    transport (``httpx.ASGITransport(app)``), or, without it, HTTP to this machine and to ``webhook_hosts``.
    ``journal_limit`` bounds how many requests and webhooks are remembered.

    In process, hand `transport` to an `httpx.AsyncClient`; for other programs, `serve` or `serve_in_thread`.
    ``clock`` moves time, ``life`` decides who fails, ``faults`` what goes wrong, ``journal`` has what happened.
    """

    def __init__(
        self,
        *,
        start: datetime | None = None,
        webhooks: Callable[[WebhookRequest], Response | Awaitable[Response]] | httpx.AsyncBaseTransport | None = None,
        webhook_hosts: Iterable[str] = (),
        journal_limit: int = DEFAULT_LIMIT,
    ) -> None:
        self.clock = Clock(start)
        self.accounts = Accounts(self.clock)
        self.life = Life(self.clock)
        self.journal = Journal(journal_limit)
        self.faults = Faults()
        postman = _postman(webhooks, webhook_hosts)
        self.webhooks = Webhooks(self.clock, self.accounts, self.journal, self.faults, postman)
        self.life.listeners.append(self.webhooks.status_changed)
        self.feed = Feed()
        self.life.listeners.append(self.feed.message_changed)
        self.journal.listeners.append(self.feed.recorded)
        self.world = EmulatorState(
            self.clock, self.accounts, self.life, self.journal, self.faults, self.webhooks, self.feed
        )

    async def handle(self, request: Request) -> Response:
        """Answer one request: of Twilio's API, of the emulator's own under ``/_emulator``, or for its page at ``/``."""
        if static.is_part_of_it(request.path):
            return static.respond(request)
        if request.path == api.PREFIX or request.path.startswith(f"{api.PREFIX}/"):
            return await api.respond(self, request)
        matched = match(request)
        operation = matched.route.name if matched.route else None
        fault = self.faults.strike(_subject(request, operation)) if self.faults.active else None
        happens = fault is None or fault.accepted
        outcome = respond(self.world, request, matched) if happens else None
        answer = fault.struck(outcome or Response(0)) if fault else outcome or Response(0)
        answer.headers.setdefault("Twilio-Request-Id", new_sid("RQ"))
        record = RequestRecord(
            number=self.journal.next_number(),
            at=self.clock.now(),
            operation=operation,
            request=request,
            answer=answer,
            fault=fault.name if fault else None,
            outcome=outcome,
        )
        self.journal.add_request(record)
        if fault or (self.life.fates and operation == "messages.create"):
            self.feed.publish("conditions")
        return answer

    @property
    def messages(self) -> list[Message]:
        """Every message of every account, each account's in their order."""
        return [message for account in self.accounts for message in account.messages]

    async def receive(
        self,
        *,
        to: str,
        sender: str,
        body: str = "",
        media: Iterable[tuple[str, bytes]] = (),
        account: Account | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Message:
        """Let ``sender`` write to the number ``to``; returns when the application was asked and answered.

        ``media`` are files as (content type, bytes). ``parameters`` are more of the webhook's, such as
        ``ProfileName``. Without ``account`` it is the one that has the number, or the only one there is.
        """
        owner = account or self.accounts.owner_of_number(addresses.bare(to)) or self.accounts.the_only()
        now = self.clock.now()
        files = [Media(new_sid("ME"), content_type, now, content=content) for content_type, content in media]
        message = Message(
            sid=new_sid("MM" if files else "SM"),
            account_sid=owner.sid,
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
        await receive(self.world, owner, message, parameters or {})
        return message

    def add_number(self, number: str, *, account: Account | None = None, **settings: str) -> PhoneNumber:
        """Give an account a number; ``settings`` are those of the resource: ``sms_url="http://127.0.0.1:5000/"``.

        An account that has numbers can send from no other.
        """
        owner = account or self.accounts.the_only()
        added = PhoneNumber(owner.sid, number, self.clock.now())
        unknown = settings.keys() - added.settings.keys()
        if unknown:
            raise ValueError(f"a number has no {', '.join(sorted(unknown))}; it has {', '.join(added.settings)}")
        added.settings.update(settings)
        owner.numbers[added.sid] = added
        return added

    def add_service(
        self, friendly_name: str, numbers: Iterable[PhoneNumber], *, account: Account | None = None, **settings: Any
    ) -> MessagingService:
        """Give an account a messaging service with ``numbers`` in its pool; ``settings`` are those of the resource."""
        owner = account or self.accounts.the_only()
        service = MessagingService(owner.sid, friendly_name, self.clock.now())
        unknown = settings.keys() - service.settings.keys()
        if unknown:
            raise ValueError(f"a service has no {', '.join(sorted(unknown))}; it has {', '.join(service.settings)}")
        service.settings.update(settings)
        service.pool.update((number.sid, number) for number in numbers)
        owner.services[service.sid] = service
        return service

    def add_template(
        self, friendly_name: str, body: str, *, account: Account | None = None, variables: dict[str, str] | None = None
    ) -> ContentTemplate:
        """Give an account a content template with a text such as ``Hi {{1}}``; ``variables`` are default fillings."""
        owner = account or self.accounts.the_only()
        types: dict[str, dict[str, Any]] = {"twilio/text": {"body": body}}
        template = ContentTemplate(owner.sid, friendly_name, self.clock.now(), types, variables or {})
        owner.templates[template.sid] = template
        return template

    def assert_sent(self, *, times: int | None = None, **conditions: str | None) -> list[Message]:
        """Assert that messages with ``to``, ``sender``, ``body`` (a part of it), ``status``… exist; returns them.

        At least one, or exactly ``times``. The failure shows what was expected, and the nearest that there is.
        """
        outgoing = [message for message in self.messages if message.direction != "inbound"]
        return assertions.assert_found("message", outgoing, conditions, times)

    def assert_requested(self, *, times: int | None = None, **conditions: str | None) -> list[RequestRecord]:
        """Assert that requests with ``operation``, ``method``, ``path``, ``body`` (a part of it)… came in."""
        return assertions.assert_found("request", list(self.journal.requests), conditions, times)

    def assert_webhook(self, *, times: int | None = None, **conditions: str | None) -> list[WebhookRecord]:
        """Assert that webhooks with ``kind``, ``url``, ``status``, or a parameter by its own name went out."""
        return assertions.assert_found("webhook", list(self.journal.webhooks), conditions, times)

    def reset(self) -> None:
        """Forget messages, accounts, faults, fates and the journal. The clock keeps its time."""
        self.clock.forget_events()
        self.accounts.clear()
        self.faults.clear()
        self.life.fates.clear()
        self.webhooks.clear()
        self.journal.clear()
        self.feed.forget()

    def clear_messages(self) -> None:
        """Forget messages and the journal; accounts and what belongs to them, faults and fates stay."""
        self.clock.forget_events()
        for account in self.accounts:
            account.messages.clear()
        self.webhooks.clear()
        self.journal.clear()
        self.feed.forget()

    @cached_property
    def transport(self) -> httpx.AsyncBaseTransport:
        """The way in without sockets: ``httpx.AsyncClient(transport=emulator.transport)``, whatever the base URL."""
        from twilio_component.emulator.server.httpx_transport import EmulatorTransport  # loads httpx

        return EmulatorTransport(self)

    def serve(
        self, host: str = "127.0.0.1", port: int = 0, *, allowed_hosts: Iterable[str] = (), real_time: bool = True
    ) -> Server:
        """Serve over HTTP: ``async with emulator.serve() as server: server.url``. See `server.Server`."""
        from twilio_component.emulator.server.server import Server  # loads aiohttp

        return Server(self, host, port, allowed_hosts=allowed_hosts, real_time=real_time)

    def serve_in_thread(
        self, host: str = "127.0.0.1", port: int = 0, *, allowed_hosts: Iterable[str] = (), real_time: bool = True
    ) -> AbstractContextManager[ServerInThread]:
        """Serve from a background thread, for programs without an event loop: ``with emulator.serve_in_thread() …``."""
        from twilio_component.emulator.server.server import serve_in_thread  # loads aiohttp

        return serve_in_thread(self.serve(host, port, allowed_hosts=allowed_hosts, real_time=real_time))


def _subject(request: Request, operation: str | None) -> Subject:
    fields = request.form if request.method == "POST" else request.arguments
    return Subject(operation, fields.one("To"), fields.one("From"), fields.one("Body"))


def _postman(
    webhooks: Callable[[WebhookRequest], Response | Awaitable[Response]] | httpx.AsyncBaseTransport | None,
    hosts: Iterable[str],
) -> WebhookTransport:
    if webhooks is None:
        return HttpPostman(hosts)
    if callable(webhooks):
        return FunctionPostman(webhooks)
    return TransportPostman(webhooks)
