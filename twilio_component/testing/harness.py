"""Runs a component's operations in a test, by default against an emulator in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from twilio_component.emulator.connection import emulator_connection
from twilio_component.host import Context, Host
from twilio_component.host.state_file import changed
from twilio_component.testing.connections import default_trigger_payload
from twilio_component.testing.logs import RecordingLogger
from twilio_component.testing.signed_webhooks import WEBHOOK_URL, signed_payload

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import httpx

    from twilio_component.emulator import Emulator
    from twilio_component.flows import Outcome, StoredState
    from twilio_component.host import Page


class Harness:
    """``async with Harness() as harness: await harness.action("sendSMS", {…})``.

    ``component`` is whose operations are run, ``plugins`` are added to the installed ones. Without a ``transport``
    every request goes to ``emulator``, an own one by default, a Twilio connection that is not given is supplied, and
    waiting moves the emulator's clock instead of taking time.
    ``logger`` records what the operations log; ``deployed`` is what deployed triggers remember, by their keys.
    """

    def __init__(
        self,
        component: str = "twilio",
        *,
        emulator: Emulator | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        plugins: Iterable[object] = (),
        debug: bool = False,
    ) -> None:
        from twilio_component.emulator import Emulator

        self.component = component
        self.emulator = emulator or Emulator()
        self.logger = RecordingLogger()
        self.host = Host.discover(
            plugins=plugins,
            transport=transport or self.emulator.transport,
            sleep=asyncio.sleep if transport else self.emulator.clock.advance,
            clock=time.monotonic if transport else self.emulator.clock.now,
            debug=debug,
        )
        self._supply = transport is None
        self._stored_state: dict[str, StoredState] = {}
        self.deployed: dict[str, dict[str, Any]] = {}

    async def action(self, key: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Invoke an action: ``{"data": …}``."""
        inputs = self._completed(key, params)
        return await self.host.invoke_action(self.component, key, inputs, context=self._context())

    def list_pages(
        self, key: str, params: Mapping[str, Any] | None = None, *, after: str | None = None
    ) -> AsyncGenerator[Page, None]:
        """Read an action's list page by page, as ``Host.list_pages`` does."""
        inputs = self._completed(key, params)
        return self.host.list_pages(self.component, key, inputs, after=after, context=self._context())

    async def trigger(
        self, key: str, payload: Mapping[str, Any] | None = None, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Invoke a trigger with ``payload`` laid over ``default_trigger_payload()``: ``{"payload": …}``."""
        inputs = self._completed(key, params)
        full = {**default_trigger_payload(), **(payload or {})}
        return await self.host.invoke_trigger(self.component, key, full, inputs, context=self._context())

    async def webhook(
        self,
        parameters: Mapping[str, str | Sequence[str]] | None = None,
        *,
        key: str = "webhook",
        params: Mapping[str, Any] | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        """Invoke a trigger with a request that Twilio made and signed: ``{"payload": …}``.

        ``parameters`` are what Twilio posts; ``request`` are the options of ``signed_payload``.
        """
        return await self.trigger(key, signed_payload(parameters, **request), params)

    async def deploy(
        self, key: str, params: Mapping[str, Any] | None = None, *, url: str = WEBHOOK_URL
    ) -> dict[str, Any]:
        """Do what a trigger does when its flow is deployed at ``url``: ``{"result": …}``."""
        inputs = self._completed(key, params)
        context = self._deployed(key, url)
        result = await self.host.deploy_trigger(self.component, key, inputs, context=context)
        await context.keep_instance_state(result.get("instanceState") or {})
        return result

    async def delete(self, key: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Undo what ``deploy`` did for this trigger: ``{"result": …}``."""
        inputs = self._completed(key, params)
        context = self._deployed(key, WEBHOOK_URL)
        result = await self.host.delete_trigger(self.component, key, inputs, context=context)
        await context.keep_instance_state(result.get("instanceState") or {})
        return result

    async def data_source(self, key: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Invoke a data source: ``{"result": …}``."""
        inputs = self._completed(key, params)
        return await self.host.invoke_data_source(self.component, key, inputs, context=self._context())

    async def flow(
        self,
        path: Path | str,
        *,
        flow: str | None = None,
        payload: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        mocks: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Run a flow of the integration at ``path`` to its end; waiting takes no time.

        ``flow`` names one of several, ``payload`` is laid over a trigger's (``{"body": {"data": …}}``), ``config``
        are values of config variables, and ``mocks`` answer instead of actions, by ``component.action``. A Twilio
        connection that is not given is the emulator's. What flows keep between executions is there again in the next
        one of the same file. Raises ``FlowError`` for a file that is not valid; what a step does is in the outcome.
        """
        from twilio_component.flows import Configuration, FlowRunner, StoredState, load_integration

        integration = load_integration(path)
        values = dict(config or {})
        for key, variable in integration.config_variables.items():
            if self._supply and variable.is_connection and variable.component == "twilio":
                values.setdefault(key, emulator_connection())
        runner = FlowRunner(
            integration=integration,
            host=self.host,
            configuration=Configuration(config_vars=values),
            environment={},
            mocks=mocks or {},
            sleep=self.emulator.clock.advance,
            clock=self.emulator.clock.now,
            logger=self.logger,
            stored_state=self._stored_state.setdefault(str(path), StoredState()),
        )
        return await runner.run(flow, payload)

    async def __aenter__(self) -> Self:
        """Open the host."""
        await self.host.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the host."""
        await self.host.__aexit__(kind, error, trace)

    def _context(self) -> Context:
        return Context(logger=self.logger, step_id="step-1", execution_id="execution-1")

    def _deployed(self, key: str, url: str) -> Context:
        """The context of a trigger's flow, which remembers between deployment and removal."""

        async def keep(changes: Mapping[str, Any]) -> None:
            self.deployed[key] = changed(self.deployed.get(key, {}), changes)

        state = self.deployed.get(key, {})
        flow = {"name": "Flow 1"}
        return replace(
            self._context(), flow=flow, webhook_urls={"Flow 1": url}, instance_state=state, keep_instance_state=keep
        )

    def _completed(self, key: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        """The parameters, with a connection to the emulator where a Twilio operation wants one and none is given."""
        inputs = dict(params or {})
        component = self.host.components.get(self.component)
        # What does not exist is the host's to report.
        if self._supply and self.component == "twilio" and component is not None:
            for operation in component.operations():
                for name, schema in operation.inputs["properties"].items() if operation.key == key else ():
                    if schema.get("format") == "connection":
                        inputs.setdefault(name, emulator_connection())
        return inputs
