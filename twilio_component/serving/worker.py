"""A worker process: it executes runs that serving processes have stored in a Postgres database."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from twilio_component.durable.alarm_receivers import check_command
from twilio_component.durable.crash_points import CrashPoints
from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.errors import DurableError, StoreUnavailableError
from twilio_component.durable.settings import settings_from
from twilio_component.durable.startup_checks import warn_of_earlier_runs, warn_of_order
from twilio_component.flows.runner.configuration import Configuration
from twilio_component.flows.runner.connection_values import check_given_connections
from twilio_component.host import Host
from twilio_component.host.environment import FileEnvironment
from twilio_component.serving.database_startup import start_with_database
from twilio_component.serving.health_server import HealthServer
from twilio_component.serving.observers import trace_host

if TYPE_CHECKING:
    import httpx

    from twilio_component.durable.observation import Observer
    from twilio_component.durable.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Executes runs of a database that it shares with serving processes; it receives no requests."""

    database: str
    configuration: Configuration = field(default_factory=Configuration)
    public_url: str = ""
    environment: Mapping[str, str] = field(default_factory=FileEnvironment, repr=False)
    transport: httpx.AsyncBaseTransport | None = None
    report: Callable[[str], None] = print
    crash_points: CrashPoints = field(default_factory=CrashPoints)
    health: HealthServer = field(default_factory=HealthServer)

    async def run(self) -> None:
        """Work until SIGINT or SIGTERM. Raises ``IntegrationError``."""
        with self.configuration.placing_problems():
            await self._run()

    async def _run(self) -> None:
        if self.database.startswith("sqlite"):
            raise DurableError("a worker needs a Postgres database: only the serving process can use a SQLite database")
        settings = settings_from(self.configuration.durability)
        check_command(settings.on_failure)
        async with self.health.serving() as url:
            if url:
                self.report(f"health and metrics: {url}")
            await self._work(settings)

    async def _work(self, settings: Settings) -> None:
        async with Host.discover(transport=self.transport) as host:
            # The flows come with the runs; what is wrong with a connection must not wait until one needs it.
            check_given_connections(self.configuration, host.components)
            deployment = Deployment(
                host,
                self.configuration,
                self.environment,
                public_url=self.public_url,
                has_callbacks=bool(self.public_url),
            )
            if not deployment.has_callbacks:
                warn_of_order(settings, (), self.report)
            observer = trace_host(deployment.host, self.health.observer)
            opening = partial(self._engine, deployment, settings, observer)
            async with start_with_database(self.database, self.report, opening) as (engine, stopping):
                with self.health.showing(engine):
                    self.report("working")
                    await stopping.wait()

    @asynccontextmanager
    async def _engine(
        self, deployment: Deployment, settings: Settings, observer: Observer, report: Callable[[str], None]
    ) -> AsyncIterator[tuple[Engine, asyncio.Event]]:
        """An engine, and the event that it is to end."""
        opening = Engine.open(
            deployment, self.database, settings, crash_points=self.crash_points, observer=observer, kind="worker"
        )
        with _stopping() as stopping:
            async with opening as engine:
                await warn_of_earlier_runs(deployment, (), engine.database, report)
                yield engine, stopping


@contextmanager
def _stopping() -> Iterator[asyncio.Event]:
    """An event that SIGINT or SIGTERM sets; one that came before a failure ends the process as it would have."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        loop.call_soon_threadsafe(stopping.set)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    except StoreUnavailableError:
        _restore(before)
        for number in received:
            signal.raise_signal(number)
        raise
    finally:
        _restore(before)


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
