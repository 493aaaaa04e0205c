"""A second port for operators and their tools: whether the process lives, whether it is ready, and its metrics.

It is not the port of the webhooks, which strangers reach, and listens on this machine alone unless told otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.observation import Observer
from twilio_component.serving.connection_bounds import bounds
from twilio_component.serving.ports import listen

if TYPE_CHECKING:
    import socket

    from starlette.requests import Request

    from twilio_component.durable.engine import Engine
    from twilio_component.serving.metrics import Metrics

NO_METRICS = "'prometheus_client' is not installed: pip install 'twilio-component[metrics]' installs what metrics need"


@dataclass
class HealthServer:
    """The endpoints ``/healthz``, ``/readyz`` and ``/metrics``; without a ``port`` there are none.

    ``observer`` counts for them; it must be the engine's.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    observer: Observer = field(init=False, default_factory=Observer)
    _metrics: Metrics | None = field(init=False, default=None)
    _engine: Engine | None = field(init=False, default=None)
    _listening: socket.socket | None = field(init=False, default=None)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Listen for the block; yields the URL, or nothing. Raises ``InputError`` for a port that cannot be had."""
        if self.port is None:
            yield ""
            return
        with suppress(ModuleNotFoundError):
            from twilio_component.serving.metrics import Metrics  # of an extra

            self._metrics = self.observer = Metrics()
        with listen(self.host, self.port, option="--health-port") as listening:
            server = _Server(uvicorn.Config(self.application(), **bounds(lambda _address: True)))
            task = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                yield f"http://{self.host}:{listening.getsockname()[1]}"
            finally:
                server.should_exit = True
                await task

    @contextmanager
    def showing(self, engine: Engine) -> Generator[None, None, None]:
        """For the block the process is ready if this engine is, and the metrics are the engine's."""
        self._engine = engine
        try:
            yield
        finally:
            self._engine = None

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/healthz", self._get_health),
                Route("/readyz", self._get_readiness),
                Route("/metrics", self._get_metrics),
            ]
        )

    async def _get_health(self, _request: Request) -> Response:
        return JSONResponse({"status": "up"})

    async def _get_readiness(self, _request: Request) -> Response:
        reason = "it is starting"
        if self._engine is not None:
            try:
                await self._engine.check()
            except StoreUnavailableError as error:
                reason = str(error)
            else:
                return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": reason}, status_code=503)

    async def _get_metrics(self, _request: Request) -> Response:
        if self._metrics is None:
            return PlainTextResponse(NO_METRICS, status_code=501)
        if self._engine is None:
            return PlainTextResponse("it is starting", status_code=503)
        from twilio_component.serving.metrics import CONTENT_TYPE

        return Response(await self._metrics.exposition(self._engine), headers={"Content-Type": CONTENT_TYPE})


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the server or worker beside it."""
        yield
