"""One-shot invocations of an operation that belongs to no installed component, through a host of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.hookspecs import hookimpl
from twilio_component.host.host import Host
from twilio_component.host.model import Component, Display
from twilio_component.testing.connections import default_trigger_payload

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.host.model import Action, DataSource, Trigger

_KEY = "under-test"


class _Plugin:
    """Offers a component with nothing but the operation under test."""

    def __init__(self, **parts: Any) -> None:
        self._parts = parts

    @hookimpl
    def register_component(self) -> Component:
        return Component(key=_KEY, display=Display(label="Under test"), **self._parts)


async def invoke(
    action: Action, inputs: Mapping[str, Any] | None = None, *, context: Context | None = None, **host: Any
) -> dict[str, Any]:
    """Invoke an action that no component has yet: ``{"data": …}``. ``host`` are options of ``Host``."""
    async with Host([_Plugin(actions={action.key: action})], **host) as opened:
        return await opened.invoke_action(_KEY, action.key, inputs, context=context)


async def invoke_trigger(
    trigger: Trigger,
    payload: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    *,
    context: Context | None = None,
    **host: Any,
) -> dict[str, Any]:
    """Invoke a trigger that no component has yet, its payload laid over the default one: ``{"payload": …}``."""
    full = {**default_trigger_payload(), **(payload or {})}
    async with Host([_Plugin(triggers={trigger.key: trigger})], **host) as opened:
        return await opened.invoke_trigger(_KEY, trigger.key, full, inputs, context=context)


async def invoke_data_source(
    data_source: DataSource, inputs: Mapping[str, Any] | None = None, *, context: Context | None = None, **host: Any
) -> dict[str, Any]:
    """Invoke a data source that no component has yet: ``{"result": …}``."""
    async with Host([_Plugin(data_sources={data_source.key: data_source})], **host) as opened:
        return await opened.invoke_data_source(_KEY, data_source.key, inputs, context=context)
