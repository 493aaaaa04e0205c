"""A serving process: a host, an engine and a web server on one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uvicorn

from twilio_component.durable.crash_points import CrashPoints
from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.errors import DurableError
from twilio_component.durable.settings import settings_from
from twilio_component.durable.startup_checks import check_receivers, warn_of_earlier_runs, warn_of_flow, warn_of_order
from twilio_component.durable.store.database import sqlite_file
from twilio_component.durable.store.database_url import display_database
from twilio_component.durable.store.registrations import RegistrationStore
from twilio_component.flows.checking.checker import check_usable
from twilio_component.flows.parsing.reader import read_text
from twilio_component.flows.runner.configuration import Configuration
from twilio_component.host import Host
from twilio_component.host.environment import FileEnvironment
from twilio_component.serving.connection_bounds import bounds, is_loopback
from twilio_component.serving.database_startup import start_with_database
from twilio_component.serving.endpoint_keys import EndpointKeys
from twilio_component.serving.endpoints import endpoints
from twilio_component.serving.health_server import HealthServer
from twilio_component.serving.http_app import WebhookApp
from twilio_component.serving.observers import trace_host
from twilio_component.serving.operations.server import operations_page
from twilio_component.serving.ports import listen
from twilio_component.serving.public_urls import PublicUrl
from twilio_component.serving.status_callbacks import Callbacks
from twilio_component.serving.trusted_proxies import TrustedProxies
from twilio_component.serving.web_server import serve_until_stopped
from twilio_component.serving.webhook_handler import WebhookHandler
from twilio_component.serving.webhook_registration import Registrations
from twilio_component.serving.webhook_settings import webhook_settings

if TYPE_CHECKING:
    import socket

    import httpx

    from twilio_component.durable.deployment import LoadedDefinition
    from twilio_component.durable.settings import Settings
    from twilio_component.serving.endpoints import Endpoint
    from twilio_component.serving.operations.server import OperationsAddress
    from twilio_component.serving.webhook_settings import WebhookSettings


_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only read, to name an address that works


@dataclass(frozen=True, kw_only=True)
class Server:
    """Serves flow ``files`` until it is stopped.

    Without a ``public_url`` or ``trusted_proxies``, which name the URL of each request, only webhooks from this machine
    are verified. The ``public_url`` may have a path, which a proxy with ``proxy_strips_prefix`` removes from requests.

    ``register`` points the numbers and messaging services that triggers name at their flows; ``replace_webhooks``
    replaces existing webhooks too.

    ``is_emulated`` says that the configuration's connections are an emulator's.

    ``operations`` is where people see and operate the runs, if there is to be a page for that.

    ``transport`` carries the requests of components, see ``Host``. ``report`` receives lines for an operator, and
    ``on_ready`` the endpoints by their paths, before the first request.
    """

    files: Sequence[Path]
    database: str
    configuration: Configuration = field(default_factory=Configuration)
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    proxy_strips_prefix: bool = False
    trusted_proxies: Sequence[str] = ()
    register: bool = False
    replace_webhooks: bool = False
    is_emulated: bool = False
    operations: OperationsAddress | None = None
    environment: Mapping[str, str] = field(default_factory=FileEnvironment, repr=False)
    transport: httpx.AsyncBaseTransport | None = None
    report: Callable[[str], None] = print
    on_ready: Callable[[Mapping[str, Endpoint]], None] = lambda _endpoints: None
    crash_points: CrashPoints = field(default_factory=CrashPoints)
    health: HealthServer = field(default_factory=HealthServer)

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises ``IntegrationError`` for what cannot be served."""
        with self.configuration.placing_problems():
            await self._run()

    async def _run(self) -> None:
        if self.proxy_strips_prefix and not self.public_url:
            raise DurableError("--proxy-strips-prefix needs a --public-url with a path")
        if self.register and not self.public_url:
            raise DurableError("--register needs to know where Twilio reaches the flows: add --public-url https://…")
        settings = settings_from(self.configuration.durability)
        webhooks = webhook_settings(self.configuration.durability)
        proxies = TrustedProxies(self.trusted_proxies)
        public_url = self._public_url() if self.public_url else None
        # First of all: a port that is taken must not have cost anything, and requests wait until we are ready.
        with listen(self.host, self.port) as listening:
            async with self.health.serving() as url:
                if url:
                    self.report(f"health and metrics: {url}")
                local_url = PublicUrl.parse(_local_url(self.host, listening))
                await self._serve(listening, settings, webhooks, proxies, public_url or local_url)

    async def _serve(
        self,
        listening: socket.socket,
        settings: Settings,
        webhooks: WebhookSettings,
        proxies: TrustedProxies,
        public_url: PublicUrl,
    ) -> None:
        async with Host.discover(transport=self.transport) as host:
            deployment = Deployment(
                host,
                self.configuration,
                self.environment,
                public_url=str(public_url),
                has_callbacks=bool(self.public_url),
            )
            definitions = [self._load(file, deployment) for file in self.files]
            deployment.check_configuration(definitions)
            found = endpoints(deployment, definitions)
            flows = [endpoint.flow for endpoint in found.values()]
            keys = EndpointKeys(self.configuration.durability.get("endpointKeys", {}), self.environment, flows)
            check_receivers(settings.on_failure, definitions, is_alone=self.database.startswith("sqlite"))
            if not deployment.has_callbacks:
                warn_of_order(settings, definitions, self.report)
            file = sqlite_file(self.database)
            new = ""
            if file is not None and not file.exists():
                # A slip in the path would leave the runs of another database without a process.
                new = " (a new database)" if file.parent.is_dir() else " (a new database, in a new folder)"
            observer = trace_host(host, self.health.observer)
            announce = cache(lambda: self.on_ready(found))  # once, however often the database is lost meanwhile

            @asynccontextmanager
            async def opening(report: Callable[[str], None]) -> AsyncIterator[Engine]:
                async with Engine.open(
                    deployment,
                    self.database,
                    settings,
                    crash_points=self.crash_points,
                    observer=observer,
                    is_emulated=self.is_emulated,
                ) as engine:
                    await _prepare(engine, deployment, definitions, settings, report)
                    report(f"state: {display_database(self.database)}{new}")
                    self._report_endpoints(found.values(), keys, report)
                    announce()
                    await self._register(engine, deployment, found.values(), report)
                    yield engine

            async with start_with_database(self.database, self.report, opening) as engine:
                handler = WebhookHandler(deployment, engine, webhooks, keys, observer)
                app = WebhookApp(
                    endpoints=found,
                    handler=handler,
                    callbacks=Callbacks(deployment, engine, webhooks.opt_outs),
                    public_url=public_url,
                    proxies=proxies,
                    ready=engine.check,
                    observer=observer,
                )
                async with AsyncExitStack() as stack:
                    await stack.enter_async_context(handler.refused_requests.storing())
                    if self.operations is not None:
                        await stack.enter_async_context(operations_page(engine.database, self.operations, self.report))
                    stack.enter_context(self.health.showing(engine))
                    await serve_until_stopped(uvicorn.Config(app.application(), **bounds(proxies.trusts)), listening)

    async def _register(
        self, engine: Engine, deployment: Deployment, found: Iterable[Endpoint], report: Callable[[str], None]
    ) -> None:
        """Register the webhooks at their providers if that is asked for; else say which are not up to date."""
        registrations = Registrations(deployment, RegistrationStore(engine.database), engine.runs, report)
        if self.register:
            await registrations.register(found, replace_webhooks=self.replace_webhooks)
        else:
            await registrations.warn_of_stale(found)

    def _load(self, file: Path, deployment: Deployment) -> LoadedDefinition:
        """Read and check a definition, before the database is opened; raises ``IntegrationError``."""
        text = read_text(file)
        for warning in check_usable(file, deployment.host.components, text=text, purpose="served"):
            self.report(str(warning))
        return deployment.load(str(file), text)

    def _report_endpoints(self, found: Iterable[Endpoint], keys: EndpointKeys, report: Callable[[str], None]) -> None:
        for endpoint in found:
            report(f"webhook of {endpoint.flow.name}: {endpoint.url_for_twilio}")
            if self._is_public() and not (endpoint.verifies_request or keys.are_needed(endpoint.flow)):
                report(
                    f"warning: anybody who knows this URL can start {endpoint.flow.name}; keys in endpointKeys of the "
                    "configuration file protect it"
                )

    def _public_url(self) -> PublicUrl:
        return PublicUrl.parse(self.public_url, strips_prefix=self.proxy_strips_prefix)

    def _is_public(self) -> bool:
        host = urlsplit(self.public_url).hostname or self.host
        return bool(self.trusted_proxies) or not is_loopback(host)


def _local_url(host: str, listening: socket.socket) -> str:
    name = _EVERY_INTERFACE.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{listening.getsockname()[1]}"


async def _prepare(
    engine: Engine,
    deployment: Deployment,
    definitions: Sequence[LoadedDefinition],
    settings: Settings,
    report: Callable[[str], None],
) -> None:
    """Store what is served, warn of what it lacks, and keep its schedules."""
    for one in definitions:
        await engine.runs.define(one.file, one.text)
        await engine.runs.note_served(one.integration.name, one.digest, deployment.public_url)
    await warn_of_flow(settings.on_failure, definitions, engine.database, report)
    await warn_of_earlier_runs(deployment, definitions, engine.database, report)
    await engine.keep_schedules(definitions)
