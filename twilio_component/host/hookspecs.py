"""What a plugin can do: offer components, and stand in for or around their invocations.

A plugin is a module or an object with functions of these names, marked with ``hookimpl``, that a distribution names in
its entry points under ``integration_components`` or that a caller hands to ``Host``.

The ``perform_…`` hooks are asked one plugin after the other until one returns something; the host's own
implementation, which calls the component's function, comes last. They are ordinary functions that return an awaitable,
which the host awaits once. That is why an ``async def`` is refused: it returns a coroutine for every call, so it could
never decline. A wrapper (``@hookimpl(wrapper=True)``) wraps the awaitable, because that is where results and errors
come out::

    @hookimpl(wrapper=True)
    def perform_action(action):
        inner = yield
        return timed(action.key, inner)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from twilio_component.host.context import Context
    from twilio_component.host.model import Action, Component, DataSource, Trigger

PROJECT = "integration_components"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_component() -> Component | Sequence[Component]:  # type: ignore[empty-body]  # a specification
    """Return the component, or components, that this plugin adds."""


@hookspec(firstresult=True)
def perform_action(
    component: Component, action: Action, context: Context, inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"data": …}``, or None to leave the call to others. ``inputs`` are clean and valid."""


@hookspec(firstresult=True)
def perform_trigger(
    component: Component, trigger: Trigger, context: Context, payload: dict[str, Any], inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"payload": …}``, or None to leave the call to others."""


@hookspec(firstresult=True)
def perform_data_source(
    component: Component, data_source: DataSource, context: Context, inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"result": …}``, or None to leave the call to others."""


@hookspec(firstresult=True)
def perform_instance_deploy(
    component: Component, trigger: Trigger, context: Context, inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"result": …}`` for a trigger that is deployed, or None to leave it to others."""


@hookspec(firstresult=True)
def perform_instance_delete(
    component: Component, trigger: Trigger, context: Context, inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"result": …}`` for a trigger that is removed, or None to leave it to others."""
