"""What a plugin can do: offer components, and replace or wrap their invocations.

A plugin is a module or an object with functions of these names, marked with ``hookimpl``, that a distribution names in
its entry points under ``integration_components`` or that a caller passes to ``Host``.

The ``perform_…`` hooks are called one plugin after the other until one returns a value; the host's own implementation,
which calls the component's function, comes last. They are ordinary functions that return an awaitable, which the host
awaits once. An ``async def`` is refused: it returns a coroutine for every call, so it could never decline. A wrapper
(``@hookimpl(wrapper=True)``) wraps the awaitable, because results and errors come out of it::

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
    from twilio_component.host.manifest.manifest_file import ManifestFile
    from twilio_component.host.model import Action, Component, DataSource, Trigger

PROJECT = "integration_components"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_component() -> Component | ManifestFile | Sequence[Component | ManifestFile]:  # type: ignore[empty-body]  # a specification
    """Return the component, or components, that this plugin adds."""


@hookspec(firstresult=True)
def perform_action(
    component: Component, action: Action, context: Context, inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"data": …}``, or None to leave the call to other plugins. ``inputs`` are valid."""


@hookspec(firstresult=True)
def perform_trigger(
    component: Component, trigger: Trigger, context: Context, payload: dict[str, Any], inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"payload": …}``, or None to leave the call to other plugins."""


@hookspec(firstresult=True)
def perform_data_source(
    component: Component, data_source: DataSource, context: Context, inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"result": …}``, or None to leave the call to other plugins."""


@hookspec(firstresult=True)
def perform_instance_deploy(
    component: Component, trigger: Trigger, context: Context, inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"result": …}`` on deployment, or None to leave the call to other plugins."""


@hookspec(firstresult=True)
def perform_instance_delete(
    component: Component, trigger: Trigger, context: Context, inputs: dict[str, Any]
) -> Awaitable[dict[str, Any]] | None:
    """Return an awaitable of ``{"result": …}`` on removal, or None to leave the call to other plugins."""
