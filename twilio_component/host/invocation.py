"""The innermost layer of every invocation: call the component's function and put its value into an envelope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import PluginError
from twilio_component.host.hookspecs import hookimpl
from twilio_component.host.results import Page, PollAgain, Result
from twilio_component.host.serialization import json_ready

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.host.model import Action, DataSource, Trigger


class HostPlugin:
    """The last implementation of every perform hook."""

    @hookimpl(trylast=True)
    def perform_action(self, action: Action, context: Context, inputs: dict[str, Any]) -> Awaitable[dict[str, Any]]:
        """The action's data, or one page of it when the context asks for one."""
        label = f"function of the action '{action.key}'"
        if context.page is not None and action.page_function is not None:
            arguments = (context, inputs, context.page.after)
            return _PageCall(f"the page {label}", action.page_function, "data", *arguments)
        label = f"the perform {label}"
        if action.waits:
            return _WaitingCall(label, action.function, context, inputs)
        return _Call(label, action.function, "data", context, inputs)

    @hookimpl(trylast=True)
    def perform_trigger(
        self, trigger: Trigger, context: Context, payload: dict[str, Any], inputs: dict[str, Any]
    ) -> Awaitable[dict[str, Any]]:
        """The trigger's payload."""
        label = f"the perform function of the trigger '{trigger.key}'"
        return _Call(label, trigger.function, "payload", context, payload, inputs)

    @hookimpl(trylast=True)
    def perform_data_source(
        self, data_source: DataSource, context: Context, inputs: dict[str, Any]
    ) -> Awaitable[dict[str, Any]]:
        """The data source's result."""
        label = f"the perform function of the data source '{data_source.key}'"
        return _Call(label, data_source.function, "result", context, inputs)

    @hookimpl(trylast=True)
    def perform_instance_deploy(
        self, trigger: Trigger, context: Context, inputs: dict[str, Any]
    ) -> Awaitable[dict[str, Any]] | None:
        """The result of the trigger's deploy function, or None if it has none."""
        label = f"the deploy function of the trigger '{trigger.key}'"
        function = trigger.deploy_function
        return None if function is None else _Call(label, function, "result", context, inputs)

    @hookimpl(trylast=True)
    def perform_instance_delete(
        self, trigger: Trigger, context: Context, inputs: dict[str, Any]
    ) -> Awaitable[dict[str, Any]] | None:
        """The result of the trigger's delete function, or None if it has none."""
        label = f"the delete function of the trigger '{trigger.key}'"
        function = trigger.delete_function
        return None if function is None else _Call(label, function, "result", context, inputs)


class _Call(Awaitable[dict[str, Any]]):
    """A call that starts when it is awaited: a wrapper may drop it without a 'never awaited' warning."""

    def __init__(self, label: str, function: Callable[..., Any], envelope: str, *arguments: Any) -> None:
        self._label = label
        self._function = function
        self._envelope = envelope
        self._arguments = arguments

    def __await__(self) -> Generator[Any, None, dict[str, Any]]:
        return self._run().__await__()

    async def _run(self) -> dict[str, Any]:
        return self._wrap(await self._call(*self._arguments))

    async def _call(self, *arguments: Any) -> Any:
        try:
            value = self._function(*arguments)
            if not isinstance(value, Awaitable):
                raise PluginError(f"{self._label} returned {type(value).__name__}; it must be an 'async def'")
            return await value
        except TypeError as error:
            # Raised here, and not further down: by the call itself.
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                raise PluginError(f"{self._label} cannot be called: {error}") from error
            raise

    def _wrap(self, value: Any) -> dict[str, Any]:
        value = self._result(value)
        try:
            return {self._envelope: value.value if value.ready else json_ready(value.value), **json_ready(value.rest())}
        except TypeError as error:
            raise PluginError(f"{self._label}: {error}") from error

    def _result(self, value: Any) -> Result:
        if isinstance(value, PollAgain):
            raise PluginError(
                f"{self._label} returned PollAgain, but its manifest entry does not declare 'waits: true'"
            )
        return value if isinstance(value, Result) else Result(value=value)


class _WaitingCall(_Call):
    """A call of an action that may return ``PollAgain``; unless the caller polls, this does."""

    def __init__(self, label: str, function: Callable[..., Any], context: Context, inputs: dict[str, Any]) -> None:
        super().__init__(label, function, "data", context, inputs)
        self._context = context
        self._inputs = inputs

    async def _run(self) -> dict[str, Any]:
        context, resources = self._context, self._context.resources
        begun = resources.clock() - context.waited
        while isinstance(value := await self._call(context, dict(self._inputs)), PollAgain):
            if context.asks_again:
                return {"again": value.seconds}
            await resources.sleep(value.seconds)
            context = replace(context, waited=resources.clock() - begun)
        return self._wrap(value)


class _PageCall(_Call):
    """A call that returns a page."""

    def _result(self, value: Any) -> Result:
        if not isinstance(value, Page):
            raise PluginError(f"{self._label} returned {type(value).__name__}; it must return a Page")
        return Result(value=value.items, extra={"next": value.next}, ready=value.ready)
