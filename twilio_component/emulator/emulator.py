"""The emulator: one object that responds to requests, in process or over a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from email.utils import formatdate
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from twilio_component.emulator import assertions, facts
from twilio_component.emulator.api.router import OPERATIONS, match, respond
from twilio_component.emulator.change_feed import Feed
from twilio_component.emulator.clock import Clock
from twilio_component.emulator.control import api, static
from twilio_component.emulator.faults import Faults
from twilio_component.emulator.http import Request, Response
from twilio_component.emulator.messaging.conversation_events import conversation_parameters
from twilio_component.emulator.messaging.inbound import receive
from twilio_component.emulator.messaging.lifecycle import MessageLifecycle
from twilio_component.emulator.model.accounts import Account, Accounts
from twilio_component.emulator.model.content_template import ContentTemplate
from twilio_component.emulator.model.lookups import Lookups
from twilio_component.emulator.model.messaging_service import MessagingService
from twilio_component.emulator.model.sids import new_sid
from twilio_component.emulator.model.verify_service import VerifyService
from twilio_component.emulator.request_log import DEFAULT_LIMIT, RequestLog, RequestRecord, WebhookRecord
from twilio_component.emulator.rules import subject_of
from twilio_component.emulator.state import EmulatorState
from twilio_component.emulator.webhooks.sender import Webhook, Webhooks
from twilio_component.emulator.webhooks.transports import (
    AnyHttpxTransport,
    FunctionTransport,
    HttpxTransport,
    NetworkTransport,
    WebhookRequest,
    WebhookTransport,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    import httpx

    from twilio_component.emulator.messaging.channel_details import ChannelDetails
    from twilio_component.emulator.model.message import Message
    from twilio_component.emulator.model.phone_number import PhoneNumber
    from twilio_component.emulator.model.verification import Verification
    from twilio_component.emulator.server.server import Server, ServerInThread


class Emulator:
    """Twilio's Messages API on this machine.

    Any well-formed Account SID or API key with any secret works until `accounts.declare` is called. ``start``
    freezes the clock there; without it dates are those of the machine. ``webhooks`` is where status callbacks and
    inbound messages go: a function that gets a `WebhookRequest` and returns a `Response` (or awaits one), a
    transport of httpx or httpx2 (``httpx.ASGITransport(app)``, ``httpx.WSGITransport(app)``), or, without it, HTTP to
    this machine and to ``webhook_hosts``.
    ``request_log_limit`` bounds how many requests and webhooks are remembered.

    In process, hand `transport` to an `httpx.AsyncClient`; for other programs, `serve` or `serve_in_thread`.
    ``clock`` moves time, ``lifecycle`` decides which messages fail, ``faults`` which requests, and ``request_log`` has
    every request and webhook.
    """

    def __init__(
        self,
        *,
        start: datetime | None = None,
        webhooks: Callable[[WebhookRequest], Response | Awaitable[Response]] | AnyHttpxTransport | None = None,
        webhook_hosts: Iterable[str] = (),
        request_log_limit: int = DEFAULT_LIMIT,
    ) -> None:
        self.clock = Clock(start)
        self.feed = Feed()
        self.accounts = Accounts(self.clock, [self.feed])
        self.lifecycle = MessageLifecycle(self.clock)
        self.request_log = RequestLog(request_log_limit)
        self.request_log.listeners.append(self.feed.add_record)
        self.faults = Faults(OPERATIONS)
        transport = _webhook_transport(webhooks, webhook_hosts)
        self.webhooks = Webhooks(self.clock, self.accounts, self.request_log, self.faults, transport)
        self.lifecycle.listeners.append(self.webhooks.send_status)
        self.lookups = Lookups()
        self.state = EmulatorState(
            self.clock,
            self.accounts,
            self.lifecycle,
            self.request_log,
            self.faults,
            self.webhooks,
            self.feed,
            self.lookups,
        )

    def __repr__(self) -> str:
        """How much the emulator holds, and what time it is there."""
        counts = f"{len(self.messages)} messages, {len(self.request_log.requests)} requests"
        return f"<Emulator: {counts}, {_http_date(int(self.clock.now()))}>"

    async def handle(self, request: Request) -> Response:
        """Return the response to a request to Twilio's API, the emulator's own under ``/_emulator``, or its page.

        Every response has a ``Date``: the clock's, unless `Faults.skew_clock` moves it.
        """
        response = await self._respond(request)
        response.headers.setdefault("Date", _http_date(int(self.clock.now() + self.faults.clock_skew)))
        return response

    async def _respond(self, request: Request) -> Response:
        if static.is_part_of_it(request.path):
            return static.respond(request)
        if request.path == api.PREFIX or request.path.startswith(f"{api.PREFIX}/"):
            return await api.respond(self.state, request)
        matched = match(request)
        operation = matched.route.name if matched.route else None
        fault = self.faults.take(subject_of(request, operation)) if self.faults.active else None
        happens = fault is None or fault.accepted
        outcome = respond(self.state, request, matched) if happens else None
        response = fault.apply(outcome or Response(0)) if fault else outcome or Response(0)
        response.headers.setdefault("Twilio-Request-Id", new_sid("RQ"))
        record = RequestRecord(
            number=self.request_log.next_number(),
            at=self.clock.now(),
            operation=operation,
            request=request,
            response=response,
            fault=fault.name if fault else None,
            outcome=outcome,
        )
        self.request_log.add_request(record)
        if fault or (self.lifecycle.rules and operation == "messages.create"):
            self.feed.publish("conditions")
        return response

    @property
    def messages(self) -> list[Message]:
        """Every message of every account, each account's in their order."""
        return self.state.messages

    @property
    def verifications(self) -> list[Verification]:
        """Every verification that was started through Verify, with its code."""
        return self.state.verifications

    def send_webhooks_to(
        self,
        webhooks: Callable[[WebhookRequest], Response | Awaitable[Response]] | AnyHttpxTransport | None,
        *,
        hosts: Iterable[str] = (),
    ) -> None:
        """Send webhooks there from now on; ``webhooks`` and ``hosts`` are the constructor's of these names.

        ``httpx.ASGITransport(app)`` and ``httpx.WSGITransport(app)`` lead into an application in this process.
        """
        self.webhooks.transport = _webhook_transport(webhooks, hosts)

    async def receive(
        self,
        *,
        to: str,
        sender: str,
        body: str = "",
        media: Iterable[tuple[str, bytes]] = (),
        account: Account | None = None,
        parameters: Mapping[str, str] | None = None,
        **details: Unpack[ChannelDetails],
    ) -> Message:
        """Let ``sender`` write to the number ``to``; returns the message when the application has responded.

        ``media`` are files as (content type, bytes). ``details`` are what WhatsApp and other channels have beside a
        text: ``button``, ``list_item``, ``location``, ``replied_to``, ``referral``, ``profile_name`` (see
        `ChannelDetails`). ``parameters`` are added to those of the webhook. Without ``account`` it is the one that has
        the number, or the default account.
        """
        return await receive(
            self.state, to=to, sender=sender, body=body, media=media, account=account, parameters=parameters, **details
        )

    async def send_webhook(
        self, url: str, parameters: Mapping[str, str], *, method: str = "POST", account: Account | None = None
    ) -> WebhookRecord:
        """Send a signed webhook with any parameters, as Studio or TaskRouter do; returns its record."""
        owner = account or self.accounts.default_account()
        return await self.webhooks.send(Webhook.of_event(owner.sid, url, method, tuple(parameters.items())))

    async def send_conversation_event(
        self, url: str, event_type: str, *, account: Account | None = None, **parameters: str
    ) -> WebhookRecord:
        """Send an event of Conversations, such as ``onMessageAdded``; returns its record.

        ``parameters`` add some or replace them, with Twilio's names: ``Author="+15558675310", Body="Hi"``. Raises
        ValueError for an event that Conversations does not have.
        """
        owner = account or self.accounts.default_account()
        event = conversation_parameters(owner, event_type, self.clock.now(), parameters)
        return await self.webhooks.send(Webhook.of_event(owner.sid, url, "POST", event))

    def add_number(self, number: str, *, account: Account | None = None, **settings: str) -> PhoneNumber:
        """Give an account a number; ``settings`` are those of the resource: ``sms_url="http://127.0.0.1:5000/"``.

        An account that has numbers can send from no other. A number that it has already gets the settings.
        """
        return self.state.add_number(number, account=account, **settings)

    def add_service(
        self, friendly_name: str, numbers: Iterable[PhoneNumber], *, account: Account | None = None, **settings: Any
    ) -> MessagingService:
        """Give an account a messaging service with ``numbers`` in its pool; ``settings`` are those of the resource."""
        owner = account or self.accounts.default_account()
        service = MessagingService(owner.sid, friendly_name, self.clock.now())
        unknown = settings.keys() - service.settings.keys()
        if unknown:
            raise ValueError(f"a service has no {', '.join(sorted(unknown))}; it has {', '.join(service.settings)}")
        service.settings.update(settings)
        service.pool.update((number.sid, number) for number in numbers)
        owner.services[service.sid] = service
        return service

    def add_verify_service(
        self, friendly_name: str, *, account: Account | None = None, **settings: Any
    ) -> VerifyService:
        """Give an account a Verify service; ``settings`` are those of the resource: ``code_length=4``.

        An account that has such services knows no others. Raises ValueError for a setting that a service does not have.
        """
        owner = account or self.accounts.default_account()
        service = VerifyService(owner.sid, friendly_name, self.clock.now())
        unknown = settings.keys() - service.settings.keys()
        if unknown:
            raise ValueError(f"a service has no {', '.join(sorted(unknown))}; it has {', '.join(service.settings)}")
        service.settings.update(settings)
        owner.verify_services[service.sid] = service
        return service

    def add_template(
        self, friendly_name: str, body: str, *, account: Account | None = None, variables: dict[str, str] | None = None
    ) -> ContentTemplate:
        """Give an account a content template with a text such as ``Hi {{1}}``; ``variables`` are default fillings."""
        owner = account or self.accounts.default_account()
        types: dict[str, dict[str, Any]] = {"twilio/text": {"body": body}}
        template = ContentTemplate(owner.sid, friendly_name, self.clock.now(), types, variables or {})
        owner.templates[template.sid] = template
        return template

    def assert_sent(self, *, times: int | None = None, **conditions: str | None) -> list[Message]:
        """Assert that messages with ``to``, ``sender``, ``body`` (a part of it), ``status``… exist; returns them.

        At least one, or exactly ``times``. The failure shows what was expected, and the nearest that there is. Raises
        ValueError or TypeError for a condition that no message could meet, so that ``times=0`` passes on no typing
        mistake.
        """
        outgoing = [message for message in self.messages if message.direction != "inbound"]
        return assertions.assert_found("message", facts.MESSAGE, outgoing, conditions, times)

    def assert_requested(self, *, times: int | None = None, **conditions: str | None) -> list[RequestRecord]:
        """Assert that requests with ``operation``, ``method``, ``path``, ``body`` (a part of it)… came in."""
        return assertions.assert_found("request", facts.REQUEST, list(self.request_log.requests), conditions, times)

    def assert_webhook(self, *, times: int | None = None, **conditions: str | None) -> list[WebhookRecord]:
        """Assert that webhooks with ``kind``, ``url``, ``status``, or a parameter by its own name went out."""
        return assertions.assert_found("webhook", facts.WEBHOOK, list(self.request_log.webhooks), conditions, times)

    def assert_verification(self, *, times: int | None = None, **conditions: str | None) -> list[Verification]:
        """Assert that verifications with ``to``, ``channel``, ``status``, ``code``… were started; returns them."""
        return assertions.assert_found("verification", facts.VERIFICATION, self.verifications, conditions, times)

    def load_seed(self, path: Path | str) -> None:
        """Give the emulator what a seed file has: accounts, numbers, services, templates, messages, faults, rules.

        The file is YAML or JSON; ``schemas/emulator-seed.schema.json`` describes it. Raises `InputError`, with the file
        and line of each problem, and `DocumentError` for a file that cannot be read.
        """
        from twilio_component.emulator.seeding import load_seed  # loads jsonschema

        load_seed(self.state, Path(path))

    def load_seed_conditions(self, path: Path | str) -> None:
        """Switch on the faults, delivery rules and timings of a seed file, after `load_state`, which has none of them.

        Raises as `load_seed` does.
        """
        from twilio_component.emulator.seeding import load_seed_conditions  # loads jsonschema

        load_seed_conditions(self.state, Path(path))

    def save_state(self, path: Path | str) -> None:
        """Write accounts and all that belongs to them, messages included, to a JSON file. Raises `DocumentError`."""
        from twilio_component.emulator.state_file import save_state

        save_state(self.state, Path(path))

    def load_state(self, path: Path | str) -> None:
        """Replace what the emulator holds by what `save_state` wrote; messages that were on their way continue.

        Raises `DocumentError` for a file that cannot be read, and `InputError` for one that is not valid.
        """
        from twilio_component.emulator.state_file import load_state

        load_state(self.state, Path(path))

    def reset(self) -> None:
        """Forget messages, accounts, faults, delivery rules and the request log. The clock keeps its time."""
        self.state.reset()

    def clear_messages(self) -> None:
        """Forget messages and the request log; accounts with their numbers, faults and delivery rules stay."""
        self.state.clear_messages()

    @cached_property
    def transport(self) -> httpx.AsyncBaseTransport:
        """The way in without sockets: ``httpx.AsyncClient(transport=emulator.transport)``, for every base URL."""
        from twilio_component.emulator.server.httpx_transport import EmulatorTransport  # loads httpx

        return EmulatorTransport(self, self.clock)

    def serve(
        self, host: str = "127.0.0.1", port: int = 0, *, allowed_hosts: Iterable[str] = (), real_time: bool = True
    ) -> Server:
        """Serve over HTTP: ``async with emulator.serve() as server: server.url``. See `server.Server`."""
        from twilio_component.emulator.server.server import Server  # loads aiohttp

        return Server(
            self,
            self.clock,
            host,
            port,
            allowed_hosts=allowed_hosts,
            real_time=real_time,
            listening_at=self.state.listening_at,
        )

    def serve_in_thread(
        self, host: str = "127.0.0.1", port: int = 0, *, allowed_hosts: Iterable[str] = (), real_time: bool = True
    ) -> AbstractContextManager[ServerInThread]:
        """Serve from a background thread, for programs without an event loop: ``with emulator.serve_in_thread() …``."""
        from twilio_component.emulator.server.server import serve_in_thread  # loads aiohttp

        return serve_in_thread(self.serve(host, port, allowed_hosts=allowed_hosts, real_time=real_time))


@lru_cache(maxsize=8)  # requests come many to the second
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _webhook_transport(
    webhooks: Callable[[WebhookRequest], Response | Awaitable[Response]] | AnyHttpxTransport | None,
    hosts: Iterable[str],
) -> WebhookTransport:
    if webhooks is None:
        return NetworkTransport(hosts)
    if callable(webhooks):
        return FunctionTransport(webhooks)
    return HttpxTransport(webhooks)
