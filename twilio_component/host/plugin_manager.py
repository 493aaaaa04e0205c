"""The plugins of one host, and the components they registered."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pluggy

from twilio_component.host import hookspecs
from twilio_component.host.errors import (
    DuplicateComponentError,
    IntegrationError,
    PluginError,
    did_you_mean,
    join_names,
)
from twilio_component.host.inputs.form import InputForm
from twilio_component.host.manifest.manifest_file import ManifestFile
from twilio_component.host.model import Action, Component, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from twilio_component.host.discovery import PluginFailure

_Registered = Component | ManifestFile


class Components(Mapping[str, Component]):
    """The components by key; a manifest that its plugin answers for is read when its component is asked for.

    ``failures`` are the plugins that could not be loaded: what is not here may be one of theirs.
    """

    def __init__(self, registered: Mapping[str, _Registered], failures: Sequence[PluginFailure] = ()) -> None:
        self._registered = registered
        self.failures = failures

    def __getitem__(self, key: str) -> Component:
        found = self._registered[key]
        return found if isinstance(found, Component) else found.component

    def __contains__(self, key: object) -> bool:
        return key in self._registered

    def __iter__(self) -> Iterator[str]:
        return iter(self._registered)

    def __len__(self) -> int:
        return len(self._registered)


class Plugins:
    """A pluggy manager that refuses what would otherwise fail silently."""

    def __init__(self, innermost: object) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._manager.register(innermost)
        self._registered: dict[str, _Registered] = {}
        self._sources: dict[str, str] = {}
        self.failures: list[PluginFailure] = []
        self._components = Components(self._registered, self.failures)
        self.hook: Any = self._manager.hook

    @property
    def components(self) -> Components:
        """The components by key."""
        return self._components

    def add(
        self,
        plugin: object,
        *,
        name: str | None = None,
        distribution: str | None = None,
        version: Callable[[], str] | None = None,
    ) -> None:
        """Register a plugin and its components; raises ``PluginError`` and adds nothing when it cannot be used.

        ``version`` returns the version of components that name none.
        """
        label = name or getattr(plugin, "__name__", None) or type(plugin).__name__
        source = f"'{label}' of {distribution}" if distribution else f"'{label}'"
        if self._manager.is_registered(plugin):
            raise PluginError(f"the plugin {source} is registered already")
        self._check_hooks(plugin, source)
        try:
            # Modules of one name may come from several distributions: the name that pluggy keeps is not theirs.
            self._manager.register(plugin, name=f"{source} {id(plugin)}")
        except pluggy.PluginValidationError as error:
            reason = " ".join(str(error).split())
            raise PluginError(f"the plugin {source} cannot be registered: {reason}") from error
        try:
            self._add_components(plugin, source, version)
        except BaseException:
            self._manager.unregister(plugin)
            raise

    def _check_hooks(self, plugin: object, source: str) -> None:
        specified = set(vars(self.hook))
        hooks = f"(hooks: {join_names(sorted(specified))})"
        implementations = self._implementations(plugin)
        if not implementations:
            raise PluginError(f"the plugin {source} implements no hook {hooks}")
        for name, function in implementations:
            if name not in specified:
                hint = did_you_mean(name, specified)
                raise PluginError(f"the plugin {source} implements an unknown hook '{name}'{hint} {hooks}")
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise PluginError(
                    f"the plugin {source} implements '{name}' as 'async def': it would handle every call and could "
                    "never decline; write a plain function that returns an awaitable, or None"
                )
            for parameter in inspect.signature(function).parameters.values():
                if parameter.default is not parameter.empty:
                    raise PluginError(
                        f"the plugin {source} gives '{parameter.name}' of '{name}' a default, so that it would never "
                        "be passed; remove the default"
                    )

    def _implementations(self, plugin: object) -> list[tuple[str, Any]]:
        """The hooks' names and the plugin's functions for them."""
        found = []
        for name in dir(plugin):
            options = self._manager.parse_hookimpl_opts(plugin, name)
            if options is not None:
                found.append((options["specname"] or name, getattr(plugin, name)))
        return found

    def _add_components(self, plugin: object, source: str, version: Callable[[], str] | None) -> None:
        offered = [
            component
            for hook, register in self._implementations(plugin)
            if hook == "register_component"
            for component in _registered_by(register, source)
        ]
        sources = dict(self._sources)
        for component in offered:
            if component.key in sources:
                raise DuplicateComponentError(
                    f"two plugins register a component '{component.key}': {sources[component.key]} and {source}"
                )
            sources[component.key] = source
        for component in offered:
            if version is not None and isinstance(component, Component) and not component.version:
                self._registered[component.key] = replace(component, version=version())
            else:
                self._registered[component.key] = component
        self._sources = sources


def _registered_by(register: Callable[[], Any], source: str) -> Iterator[_Registered]:
    """Yield the components and manifests that a plugin registers; raises ``PluginError`` for one that cannot run."""
    try:
        offered = register()
    except IntegrationError as error:
        raise PluginError(f"the plugin {source} failed to register its component: {error}") from error
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"the plugin {source} failed to register its component: {reason}") from error
    for component in offered if isinstance(offered, Sequence) else [offered]:
        if isinstance(component, ManifestFile):
            yield component
            continue
        if not isinstance(component, Component):
            raise PluginError(f"the plugin {source} registered {type(component).__name__}, which is not a Component")
        unusable = list(_unusable(component))
        if unusable:
            raise PluginError("\n".join([f"the plugin {source} has mistakes:", *(f"  {item}" for item in unusable)]))
        yield component


def _unusable(component: Component) -> Iterator[str]:
    """Yield why the component cannot run: if at all, then everything that is wrong in its manifest."""
    failed = []
    for operation in component.operations():
        try:
            operation.function  # noqa: B018 - resolving it is the check
            if isinstance(operation, Action):
                operation.page_function  # noqa: B018 - resolves the name
            if isinstance(operation, Trigger):
                operation.deploy_function, operation.delete_function  # noqa: B018 - resolves the name
            InputForm(operation.inputs, component.connections)
        except PluginError as error:
            failed.append(f"{component.key}.{operation.key}: {error}")
    if failed and component.file:
        from twilio_component.host.manifest.loader import check_manifest  # needed only for mistakes

        yield from (str(problem) for problem in check_manifest(component.file))
    else:
        yield from failed
