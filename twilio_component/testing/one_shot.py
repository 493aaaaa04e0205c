"""One-shot invocations of an operation that does not belong to an installed component, each in its own host."""

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
    """Registers a component with only the operation under test."""

    def __init__(self, **parts: Any) -> None:
        self._parts = parts

    @hookimpl
    def register_component(self) -> Component:
        return Component(key=_KEY, display=Display(label="Under test"), **self._parts)


async def invoke(
    action: Action, inputs: Mapping[str, Any] | None = None, *, context: Context | None = None, **host: Any
) -> dict[str, Any]:
    """Invoke an action without a component and return ``{"data": …}``; ``host`` are options of ``Host``."""
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
    """Invoke a trigger without a component and return ``{"payload": …}``.

    ``payload`` is merged into ``default_trigger_payload()``; ``host`` are options of ``Host``.
    """
    full = {**default_trigger_payload(), **(payload or {})}
    async with Host([_Plugin(triggers={trigger.key: trigger})], **host) as opened:
        return await opened.invoke_trigger(_KEY, trigger.key, full, inputs, context=context)


async def invoke_data_source(
    data_source: DataSource, inputs: Mapping[str, Any] | None = None, *, context: Context | None = None, **host: Any
) -> dict[str, Any]:
    """Invoke a data source without a component and return ``{"result": …}``; ``host`` are options of ``Host``."""
    async with Host([_Plugin(data_sources={data_source.key: data_source})], **host) as opened:
        return await opened.invoke_data_source(_KEY, data_source.key, inputs, context=context)
