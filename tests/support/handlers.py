"""The web application of a served flow without a database: what it stores is in a fake engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from twilio_component.durable.deployment import Deployment
from twilio_component.flows import Configuration
from twilio_component.host import Host
from twilio_component.serving.endpoint_keys import EndpointKeys
from twilio_component.serving.endpoints import endpoints
from twilio_component.serving.http_app import WebhookApp
from twilio_component.serving.public_urls import PublicUrl
from twilio_component.serving.trusted_proxies import TrustedProxies
from twilio_component.serving.webhook_handler import WebhookHandler

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from twilio_component.durable.engine import Engine
    from twilio_component.durable.store.new_runs import NewRun
    from twilio_component.serving.status_callbacks import Callbacks


class FakeEngine:
    """Remembers runs by their ids; ``outcome`` is how they end."""

    def __init__(self, outcome: Any = None) -> None:
        self.outcome = outcome
        self.begun: dict[str, NewRun] = {}
        self.database = SimpleNamespace()
        self.runs = SimpleNamespace(run_of=self._run_of)
        self.questions = SimpleNamespace(taken_by=self._taken_by)
        self._by_event: dict[str, str] = {}

    async def begin(self, new: NewRun, _in_transaction: Any, *, immediately: bool) -> bool:
        self.immediately = immediately
        first = await self._run_of(new)
        if new.event is not None:
            self._by_event |= dict.fromkeys((*new.event.known_by, *new.event.marks), first)
        return first == new.id and self.begun.setdefault(new.id, new) is new

    async def hear(self, _report: Any) -> None:
        """No run of this engine waits for a report."""

    async def _taken_by(self, _reply: Any) -> None:
        """Nobody has been asked."""

    async def wait_for_outcome(self, _run: str, _seconds: float) -> Any:
        return self.outcome

    async def stored_state(self, scopes: dict[str, str]) -> dict[str, Any]:
        return {name: {} for name in scopes}

    async def _run_of(self, new: NewRun) -> str:
        found = (self._by_event.get(one) for one in (new.event.looked_for if new.event else ()))
        return next((run for run in found if run is not None), new.id)


@asynccontextmanager
async def application(
    flow: Path, engine: FakeEngine, *, public_url: str, configuration: Configuration | None = None
) -> AsyncIterator[Starlette]:
    """The application that serves the flows of a file."""

    async def nothing() -> None:
        return None

    async with Host.discover() as host:
        deployment = Deployment(host, configuration or Configuration(), {}, public_url=public_url)
        text = flow.read_text(encoding="utf-8")
        served = deployment.load(str(flow), text)
        found = endpoints(deployment, [served])
        sections = configuration.durability if configuration is not None else {}
        keys = EndpointKeys(sections.get("endpointKeys", {}), {}, [one.flow for one in found.values()])
        yield WebhookApp(
            endpoints=found,
            handler=WebhookHandler(deployment, cast("Engine", engine), keys=keys),
            callbacks=cast("Callbacks", None),
            public_url=PublicUrl.parse(public_url),
            proxies=TrustedProxies(),
            ready=nothing,
        ).application()
