"""The end of registrations: what served flows have set at Twilio is set back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.registrations import RegistrationStore
from twilio_component.durable.store.runs import RunStore
from twilio_component.flows.runner.configuration import Configuration
from twilio_component.host import Host
from twilio_component.serving.registrations import Registrations

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, kw_only=True)
class Unregistering:
    """What to set back: everything that the database knows to be registered, or what one ``flow`` has."""

    database: str
    flow: str | None = None
    configuration: Configuration = field(default_factory=Configuration)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    transport: httpx.AsyncBaseTransport | None = None
    say: Callable[[str], None] = print

    async def run(self) -> None:
        """Set it back. Raises ``IntegrationError`` for what could not be; repeating it does no harm."""
        database = Database(self.database)
        try:
            database.open_existing()
            async with Host.discover(transport=self.transport) as host:
                deployment = Deployment(host, self.configuration, self.environment, public_url="")
                store, runs = RegistrationStore(database), RunStore(database)
                await Registrations(deployment, store, runs, self.say).unregister(self.flow)
        finally:
            database.close()
