"""The plugins of one host, and the components they registered."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pluggy

from twilio_component.host import hookspecs
from twilio_component.host.errors import DuplicateComponentError, PluginError, did_you_mean, listed
from twilio_component.host.model import Component

if TYPE_CHECKING:
    from collections.abc import Mapping


class Plugins:
    """A pluggy manager that refuses what would otherwise fail in silence."""

    def __init__(self, innermost: object) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._manager.register(innermost)
        self._components: dict[str, Component] = {}
        self._sources: dict[str, str] = {}
        self.hook: Any = self._manager.hook

    @property
    def components(self) -> Mapping[str, Component]:
        """The components by key."""
        return MappingProxyType(self._components)

    def add(self, plugin: object, *, name: str | None = None, distribution: str | None = None) -> None:
        """Register a plugin and its components; raises ``PluginError`` and adds nothing when it cannot be used."""
        called = name or getattr(plugin, "__name__", None) or type(plugin).__name__
        source = f"'{called}' of {distribution}" if distribution else f"'{called}'"
        self._check_hooks(plugin, source)
        try:
            self._manager.register(plugin)
        except (pluggy.PluginValidationError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise PluginError(f"the plugin {source} cannot be registered: {reason}") from error
        try:
            self._add_components(plugin, source)
        except BaseException:
            self._manager.unregister(plugin)
            raise

    def _check_hooks(self, plugin: object, source: str) -> None:
        specified = {name for name in vars(hookspecs) if hasattr(self.hook, name)}
        found = False
        for name, function in self._implementations(plugin):
            found = True
            if name not in specified:
                hint = did_you_mean(name, specified)
                raise PluginError(
                    f"the plugin {source} implements an unknown hook '{name}'{hint} "
                    f"(hooks: {listed(sorted(specified))})"
                )
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise PluginError(
                    f"the plugin {source} implements '{name}' as 'async def': it would answer every call and could "
                    "never decline; write a plain function that returns an awaitable, or None"
                )
        if not found:
            raise PluginError(f"the plugin {source} implements no hook (hooks: {listed(sorted(specified))})")

    def _implementations(self, plugin: object) -> Iterator[tuple[str, Any]]:
        for name in dir(plugin):
            if self._manager.parse_hookimpl_opts(plugin, name) is not None:
                yield name, getattr(plugin, name)

    def _add_components(self, plugin: object, source: str) -> None:
        register = getattr(plugin, "register_component", None)
        if register is None or self._manager.parse_hookimpl_opts(plugin, "register_component") is None:
            return
        try:
            offered = register()
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(f"the plugin {source} failed to give its component: {error}") from error
        offered = offered if isinstance(offered, Sequence) else [offered]
        for component in offered:
            if not isinstance(component, Component):
                raise PluginError(f"the plugin {source} registered {type(component).__name__}, which is no Component")
            if component.key in self._components:
                raise DuplicateComponentError(
                    f"two plugins offer a component '{component.key}': {self._sources[component.key]} and {source}"
                )
            for operation in (
                *component.actions.values(),
                *component.triggers.values(),
                *component.data_sources.values(),
            ):
                try:
                    operation.function  # noqa: B018 - resolving it is the check
                except PluginError as error:
                    raise PluginError(f"the plugin {source}: {component.key}.{operation.key}: {error}") from error
        for component in offered:
            self._components[component.key] = component
            self._sources[component.key] = source
