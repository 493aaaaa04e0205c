"""A serving process: a host, an engine and a web server on one event loop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from twilio_component.durable.crash_points import CrashPoints
from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.errors import DurableError
from twilio_component.durable.settings import settings_from
from twilio_component.durable.store.registrations import RegistrationStore
from twilio_component.flows.checking.checker import check_file
from twilio_component.flows.findings import ERROR, FlowError
from twilio_component.flows.runner.configuration import Configuration
from twilio_component.host import Host
from twilio_component.host.errors import DocumentError, Problem
from twilio_component.serving.endpoints import endpoints
from twilio_component.serving.http_app import WebhookApp
from twilio_component.serving.status_callbacks import Callbacks
from twilio_component.serving.trusted_proxies import TrustedProxies
from twilio_component.serving.webhook_handler import WebhookHandler
from twilio_component.serving.webhook_registration import Registrations
from twilio_component.serving.webhook_settings import webhook_settings

if TYPE_CHECKING:
    import httpx

    from twilio_component.serving.endpoints import Endpoint


_HEADER_BYTES = 32 * 1024
_CONNECTIONS = 500
_GRACE_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Server:
    """Serves flow ``files`` until it is stopped.

    Without a ``public_url`` or ``trusted_proxies``, which name the URL of each request, only webhooks from this machine
    are verified.

    ``register`` points the numbers and messaging services that triggers name at their flows; ``replace_webhooks``
    replaces existing webhooks too.

    ``transport`` carries the requests of components, see ``Host``. ``report`` receives lines for an operator, and
    ``on_ready`` the endpoints by their paths, before the first request.
    """

    files: Sequence[Path]
    database: str
    configuration: Configuration = field(default_factory=Configuration)
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    trusted_proxies: Sequence[str] = ()
    register: bool = False
    replace_webhooks: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    transport: httpx.AsyncBaseTransport | None = None
    report: Callable[[str], None] = print
    on_ready: Callable[[Mapping[str, Endpoint]], None] = lambda _endpoints: None
    crash_points: CrashPoints = field(default_factory=CrashPoints)

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises ``IntegrationError`` for what cannot be served."""
        if self.register and not self.public_url:
            raise DurableError("--register needs to know where Twilio reaches the flows: add --public-url https://…")
        settings = settings_from(self.configuration.durability)
        webhooks = webhook_settings(self.configuration.durability)
        proxies = TrustedProxies(self.trusted_proxies)
        public_url = self.public_url or f"http://{self.host}:{self.port}"
        async with Host.discover(transport=self.transport) as host:
            deployment = Deployment(
                host,
                self.configuration,
                self.environment,
                public_url=public_url,
                has_callbacks=bool(self.public_url),
            )
            texts = {file: _read(file) for file in self.files}
            for file, text in texts.items():
                _check(file, text, host)
            async with Engine.open(deployment, self.database, settings, crash_points=self.crash_points) as engine:
                definitions = [deployment.load(str(file), text) for file, text in texts.items()]
                for definition in definitions:
                    await engine.runs.define(definition.file, definition.text)
                await engine.keep_schedules(definitions)
                found = endpoints(deployment, definitions)
                app = WebhookApp(
                    endpoints=found,
                    handler=WebhookHandler(deployment, engine, webhooks),
                    callbacks=Callbacks(deployment, engine),
                    public_url=public_url,
                    proxies=proxies,
                    ready=engine.check,
                )
                self.report(f"state: {self.database}")
                for endpoint in found.values():
                    self.report(f"webhook of {endpoint.flow.name}: {endpoint.url_for_twilio}")
                self.on_ready(found)
                if self.register:
                    store = RegistrationStore(engine.database)
                    registrations = Registrations(deployment, store, engine.runs, self.report)
                    await registrations.register(found.values(), replace_webhooks=self.replace_webhooks)
                await self._listen(uvicorn.Config(app.application(), host=self.host, port=self.port, **_BOUNDS))

    async def _listen(self, config: uvicorn.Config) -> None:
        # uvicorn raises a captured signal again when it has shut down; then it must not end the process.
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            await uvicorn.Server(config).serve()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_BOUNDS: dict[str, Any] = {
    "http": "h11",
    "h11_max_incomplete_event_size": _HEADER_BYTES,
    "limit_concurrency": _CONNECTIONS,
    "timeout_keep_alive": 5,
    "timeout_graceful_shutdown": _GRACE_SECONDS,
    "proxy_headers": False,
    "server_header": False,
    "access_log": False,
    "log_level": "warning",
    "ws": "none",
}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DocumentError("The flow definition could not be read", [Problem("", str(reason), str(file))]) from error


def _check(file: Path, text: str, host: Host) -> None:
    errors = [finding for finding in check_file(file, host.components, text=text) if finding.severity == ERROR]
    if errors:
        raise FlowError(f"{file} cannot be served", errors)
