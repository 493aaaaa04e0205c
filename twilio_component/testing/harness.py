"""Runs a component's operations in tests, by default against an emulator in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from twilio_component.emulator.connection import emulator_connection
from twilio_component.host import Context, Host
from twilio_component.host.http.request_payload import request_parts
from twilio_component.host.state_file import apply_changes
from twilio_component.testing.connections import default_trigger_payload
from twilio_component.testing.logs import RecordingLogger
from twilio_component.testing.signed_webhooks import WEBHOOK_URL, signed_payload

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from twilio_component.emulator import Emulator
    from twilio_component.flows import Outcome, StoredState
    from twilio_component.host import Page
    from twilio_component.host.http.injected import InjectedTransport


class Harness:
    """``async with Harness() as harness: await harness.action("sendSMS", {…})``.

    ``component`` is the key of the component under test; ``plugins`` are added to the installed ones. Without a
    ``transport`` every request goes to ``emulator`` (a new one by default), a missing Twilio connection is
    supplied, and waiting advances the emulator's clock instead of taking time.
    ``logger`` records what the operations log; ``deployed`` holds the instance states of deployed triggers, by key.
    """

    def __repr__(self) -> str:
        """The host and the emulator, in words."""
        return f"<{type(self).__name__} of {self.component}: {self.host!r}, {self.emulator!r}>"

    def __init__(
        self,
        component: str = "twilio",
        *,
        emulator: Emulator | None = None,
        transport: InjectedTransport | None = None,
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
        """Invoke an action and return ``{"data": …}``."""
        inputs = self._complete(key, params)
        return await self.host.invoke_action(self.component, key, inputs, context=self._context())

    def list_pages(
        self, key: str, params: Mapping[str, Any] | None = None, *, after: str | None = None
    ) -> AsyncGenerator[Page, None]:
        """Iterate over an action's list page by page, as ``Host.list_pages`` does."""
        inputs = self._complete(key, params)
        return self.host.list_pages(self.component, key, inputs, after=after, context=self._context())

    async def trigger(
        self, key: str, payload: Mapping[str, Any] | None = None, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Invoke a trigger and return ``{"payload": …}``; ``payload`` is merged into ``default_trigger_payload()``.

        A request in ``payload`` (``rawBody`` without a ``body``) is parsed, unless the trigger does that itself.
        """
        inputs = self._complete(key, params)
        full = {**default_trigger_payload(), **(payload or {})}
        if payload is not None and "rawBody" in payload and "body" not in payload:
            component = self.host.components.get(self.component)
            trigger = component.triggers.get(key) if component is not None else None
            if trigger is not None and not trigger.options.get("parsesRequest"):
                full = {**full, **request_parts(payload, default_trigger_payload()["invokeUrl"])}
        return await self.host.invoke_trigger(self.component, key, full, inputs, context=self._context())

    async def webhook(
        self,
        parameters: Mapping[str, str | Sequence[str]] | None = None,
        *,
        key: str = "webhook",
        params: Mapping[str, Any] | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        """Invoke a trigger with a request as Twilio makes and signs it, and return ``{"payload": …}``.

        ``parameters`` are the fields that Twilio posts; ``request`` are the options of ``signed_payload``.
        """
        return await self.trigger(key, signed_payload(parameters, **request), params)

    async def deploy(
        self, key: str, params: Mapping[str, Any] | None = None, *, url: str = WEBHOOK_URL
    ) -> dict[str, Any]:
        """Run what a trigger does when its flow is deployed at ``url``, and return ``{"result": …}``."""
        inputs = self._complete(key, params)
        context = self._deployment_context(key, url)
        result = await self.host.deploy_trigger(self.component, key, inputs, context=context)
        await context.keep_instance_state(result.get("instanceState") or {})
        return result

    async def delete(self, key: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Undo what ``deploy`` did for this trigger, and return ``{"result": …}``."""
        inputs = self._complete(key, params)
        context = self._deployment_context(key, WEBHOOK_URL)
        result = await self.host.delete_trigger(self.component, key, inputs, context=context)
        await context.keep_instance_state(result.get("instanceState") or {})
        return result

    async def data_source(self, key: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Invoke a data source and return ``{"result": …}``."""
        inputs = self._complete(key, params)
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
        """Run a flow of the integration at ``path`` to its end and return its outcome; waiting takes no time.

        ``flow`` names one of several flows, ``payload`` is merged into a trigger's (``{"body": {"data": …}}``),
        ``config`` sets config variables, and ``mocks`` replace actions, by ``component.action``. A missing Twilio
        connection is the emulator's. Executions of the same file share the states that flows store. Raises
        ``FlowError`` for a file that is not valid; the error of a step is in the outcome.
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

    def _deployment_context(self, key: str, url: str) -> Context:
        """Return the context of a trigger's flow, whose state lasts from deployment to removal."""

        async def keep(changes: Mapping[str, Any]) -> None:
            self.deployed[key] = apply_changes(self.deployed.get(key, {}), changes)

        state = self.deployed.get(key, {})
        flow = {"name": "Flow 1"}
        return replace(
            self._context(), flow=flow, webhook_urls={"Flow 1": url}, instance_state=state, keep_instance_state=keep
        )

    def _complete(self, key: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the parameters, with the emulator's connection where a Twilio operation lacks one."""
        inputs = dict(params or {})
        component = self.host.components.get(self.component)
        # The host reports operations that do not exist.
        if self._supply and self.component == "twilio" and component is not None:
            for operation in component.operations():
                for name in operation.connection_inputs if operation.key == key else ():
                    inputs.setdefault(name, emulator_connection())
        return inputs
