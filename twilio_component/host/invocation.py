"""The innermost of every invocation: the component's own function is called, and its value put into an envelope."""

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
        called = f"function of the action '{action.key}'"
        if context.page is not None and action.page_function is not None:
            arguments = (context, inputs, context.page.after)
            return _PageCall(f"the page {called}", action.page_function, "data", *arguments)
        called = f"the perform {called}"
        if action.waits:
            return _WaitingCall(called, action.function, context, inputs)
        return _Call(called, action.function, "data", context, inputs)

    @hookimpl(trylast=True)
    def perform_trigger(
        self, trigger: Trigger, context: Context, payload: dict[str, Any], inputs: dict[str, Any]
    ) -> Awaitable[dict[str, Any]]:
        """The trigger's payload."""
        called = f"the perform function of the trigger '{trigger.key}'"
        return _Call(called, trigger.function, "payload", context, payload, inputs)

    @hookimpl(trylast=True)
    def perform_data_source(
        self, data_source: DataSource, context: Context, inputs: dict[str, Any]
    ) -> Awaitable[dict[str, Any]]:
        """The data source's result."""
        called = f"the perform function of the data source '{data_source.key}'"
        return _Call(called, data_source.function, "result", context, inputs)

    @hookimpl(trylast=True)
    def perform_instance_deploy(
        self, trigger: Trigger, context: Context, inputs: dict[str, Any]
    ) -> Awaitable[dict[str, Any]] | None:
        """What the trigger does when it is deployed; the host asks only for one that does something."""
        called = f"the deploy function of the trigger '{trigger.key}'"
        function = trigger.deploy_function
        return None if function is None else _Call(called, function, "result", context, inputs)

    @hookimpl(trylast=True)
    def perform_instance_delete(
        self, trigger: Trigger, context: Context, inputs: dict[str, Any]
    ) -> Awaitable[dict[str, Any]] | None:
        """What the trigger does when it is removed, likewise."""
        called = f"the delete function of the trigger '{trigger.key}'"
        function = trigger.delete_function
        return None if function is None else _Call(called, function, "result", context, inputs)


class _Call(Awaitable[dict[str, Any]]):
    """A call that starts when it is awaited: a wrapper may drop it without a 'never awaited' warning."""

    def __init__(self, called: str, function: Callable[..., Any], envelope: str, *arguments: Any) -> None:
        self._called = called
        self._function = function
        self._envelope = envelope
        self._arguments = arguments

    def __await__(self) -> Generator[Any, None, dict[str, Any]]:
        return self._run().__await__()

    async def _run(self) -> dict[str, Any]:
        return self._enveloped(await self._answer(*self._arguments))

    async def _answer(self, *arguments: Any) -> Any:
        answer = self._function(*arguments)
        if not isinstance(answer, Awaitable):
            raise PluginError(f"{self._called} returned {type(answer).__name__}; it must be an 'async def'")
        return await answer

    def _enveloped(self, answer: Any) -> dict[str, Any]:
        value = self._result(answer)
        try:
            return {self._envelope: value.value if value.ready else json_ready(value.value), **json_ready(value.rest())}
        except TypeError as error:
            raise PluginError(f"{self._called}: {error}") from error

    def _result(self, answer: Any) -> Result:
        if isinstance(answer, PollAgain):
            raise PluginError(f"{self._called} wants to be asked again; its manifest entry must say 'waits: true'")
        return answer if isinstance(answer, Result) else Result(value=answer)


class _WaitingCall(_Call):
    """A call of an action that may want to be asked again; unless the caller does so, it is done here."""

    def __init__(self, called: str, function: Callable[..., Any], context: Context, inputs: dict[str, Any]) -> None:
        super().__init__(called, function, "data", context, inputs)
        self._context = context
        self._inputs = inputs

    async def _run(self) -> dict[str, Any]:
        context, resources = self._context, self._context.resources
        begun = resources.clock() - context.waited
        while isinstance(answer := await self._answer(context, dict(self._inputs)), PollAgain):
            if context.asks_again:
                return {"again": answer.seconds}
            await resources.sleep(answer.seconds)
            context = replace(context, waited=resources.clock() - begun)
        return self._enveloped(answer)


class _PageCall(_Call):
    """A call that gives a page."""

    def _result(self, answer: Any) -> Result:
        if not isinstance(answer, Page):
            raise PluginError(f"{self._called} gave {type(answer).__name__}; it must give a Page")
        return Result(value=answer.items, extra={"next": answer.next}, ready=answer.ready)
