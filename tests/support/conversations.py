"""A served integration and the emulator in one process: what people write reaches the flows as signed webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import func, select
from support.prepared_database import prepare_database
from support.slow_transport import SlowFirstMessage
from support.waiting import until_async

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import schema
from twilio_component.emulator import Emulator
from twilio_component.emulator.http import Response
from twilio_component.flows import Configuration
from twilio_component.host import Host
from twilio_component.serving.endpoint_keys import EndpointKeys
from twilio_component.serving.endpoints import endpoints
from twilio_component.serving.http_app import WebhookApp
from twilio_component.serving.public_urls import PublicUrl
from twilio_component.serving.status_callbacks import Callbacks
from twilio_component.serving.trusted_proxies import TrustedProxies
from twilio_component.serving.webhook_handler import WebhookHandler
from twilio_component.testing import emulator_connection

if TYPE_CHECKING:
    from twilio_component.durable.observation import Observer
    from twilio_component.emulator.webhooks.transports import WebhookRequest

PUBLIC = "https://flows.test"
US, ADA, BOB = "+15017122661", "+15558675310", "+15558675311"


@dataclass
class Phone:
    """The emulator with the served integration behind it."""

    emulator: Emulator
    engine: Engine = field(init=False)
    client: httpx.AsyncClient = field(init=False)
    urls: Mapping[str, str] = field(default_factory=dict)

    async def start(self, flow: str, data: Any) -> str:
        """Post to the webhook of a flow; the id of its run."""
        response = await self.client.post(self.urls[flow], json=data)
        assert response.is_success, response.text
        return response.headers["Execution-Id"]

    async def write(self, body: str, *, them: str = ADA, to: str = US, **details: Any) -> None:
        await self.emulator.receive(to=to, sender=them, body=body, **details)

    def texts(self, to: str = ADA) -> list[str]:
        """What this person has been sent through the API, in order."""
        sent = (one for one in self.emulator.messages if one.to == to and one.direction == "outbound-api")
        return [one.body for one in sent]

    async def gets(self, *texts: str, to: str = ADA) -> None:
        """Wait until this person has been sent exactly these texts."""
        await self.has(len(texts), to=to)
        assert self.texts(to) == [*texts]

    async def has(self, texts: int, *, to: str = ADA) -> None:
        """Wait until this person has been sent so many texts."""
        await until_async(lambda: len(self.texts(to)) >= texts, f"{texts} texts, not {self.texts(to)}")

    async def rests(self, runs: int = 1) -> None:
        """Wait until so many runs wait as rows and nothing is executed."""
        counting = select(func.count()).select_from(schema.waits)

        async def waiting() -> int:
            return int(await self.engine.database.run(lambda connection: connection.execute(counting).scalar_one()))

        async def at_rest() -> bool:
            return await waiting() == runs and not self.engine.work.workflow_ids

        await until_async(at_rest, f"{runs} runs wait, and nothing is executed")

    async def ends(self, run: str) -> Mapping[str, Any]:
        """Wait for the end of a run; its outcome."""
        outcome: Mapping[str, Any] | None = await self.engine.wait_for_outcome(run, 20)
        assert outcome is not None, "the run has not ended"
        return outcome


@asynccontextmanager
async def conversing(
    folder: Path,
    file: Path,
    *,
    settings: Settings | None = None,
    emulator: Emulator | None = None,
    slow: float = 0.0,
    observer_of: Callable[[Host], Observer] | None = None,
    **values: Any,
) -> AsyncIterator[Phone]:
    """Serve the integration in ``file``; ``values`` are config variables by name.

    The first message takes ``slow`` seconds to reach Twilio.
    """

    async def deliver(webhook: WebhookRequest) -> Response:
        response = await phone.client.request(
            webhook.method, webhook.url, content=webhook.body, headers=dict(webhook.all_headers)
        )
        return Response(response.status_code, response.content, dict(response.headers))

    phone = Phone(emulator or Emulator(webhooks=deliver))
    async with Host.discover(transport=SlowFirstMessage(phone.emulator, slow)) as host:
        observer = observer_of(host) if observer_of is not None else None
        configuration = Configuration(config_vars={"Twilio Connection": emulator_connection(), **values})
        deployment = Deployment(host, configuration, {}, public_url=PUBLIC, has_callbacks=True)
        text = file.read_text(encoding="utf-8")
        definition = deployment.load(str(file), text)
        found = endpoints(deployment, [definition])
        phone.urls = {one.flow.name: one.url for one in found.values()}
        prepare_database(folder / "runs.sqlite")
        url = f"sqlite:///{folder / 'runs.sqlite'}"
        async with Engine.open(
            deployment, url, settings or Settings(timeout=1, lag_bound=0.5), observer=observer
        ) as engine:
            await engine.runs.define(str(file), text)
            phone.engine = engine
            application = WebhookApp(
                endpoints=found,
                handler=WebhookHandler(deployment, engine, keys=EndpointKeys({}, {}, []), observer=observer),
                callbacks=Callbacks(deployment, engine),
                public_url=PublicUrl.parse(PUBLIC),
                proxies=TrustedProxies(),
                ready=engine.check,
            ).application()
            transport = httpx.ASGITransport(app=application)
            async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as phone.client:
                yield phone
