"""The host: finds components and invokes what they offer.

The path of a call: find the operation, convert and validate its inputs, pass both to the plugins' hooks, and await what
they return. Each event loop has its own `Host`; synchronous callers use `BlockingHost`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from twilio_component.host.cancellation import is_cancelled
from twilio_component.host.context import Context
from twilio_component.host.discovery import PluginFailure, distribution_of, installed_plugins, load_plugin, version_of
from twilio_component.host.errors import (
    DuplicateComponentError,
    HostStateError,
    PluginError,
    UnknownKeyError,
    did_you_mean,
    join_names,
)
from twilio_component.host.http.messages import SECONDS
from twilio_component.host.inputs.form import InputForm
from twilio_component.host.invocation import HostPlugin
from twilio_component.host.model import Action, Component, DataSource, Operation, Trigger
from twilio_component.host.pagination import Tasks, cancel_and_wait, prefetch
from twilio_component.host.plugin_manager import Plugins
from twilio_component.host.process_id import process_id
from twilio_component.host.resources import Clock, Resources, Sleep
from twilio_component.host.results import Candidate, Page, PageRequest

if TYPE_CHECKING:
    import datetime as dt
    from importlib.metadata import EntryPoint
    from types import TracebackType

    from twilio_component.host.http.injected import InjectedTransport
    from twilio_component.host.http.messages import HttpTransport

_LOGGER = logging.getLogger(__name__)
_Op = TypeVar("_Op", bound=Operation)


class Host:
    """Runs components, in one process and one event loop: ``async with Host.discover() as host: …``.

    ``plugins`` are modules or objects with hook implementations; a later one is called before an earlier one.
    ``transport`` sends every HTTP request: an asynchronous transport of httpx or httpx2, such as ``MockTransport``.
    Without it the host opens its own and closes it at the end. ``request_seconds`` is how long one request of a
    component may take, from its connection to the end of its response, unless the invocation says otherwise; what may
    be repeated is tried up to four times. ``sleep`` is how components wait, in seconds of the ``clock``. ``debug`` is
    the default of every context's ``debug``.

    Raises ``TypeError`` for another kind of transport, ``ValueError`` for a time limit that is not positive,
    ``PluginError`` for a plugin that cannot be used, and ``DuplicateComponentError`` for two components of one key.
    """

    def __init__(
        self,
        plugins: Iterable[object] = (),
        *,
        transport: InjectedTransport | None = None,
        request_seconds: float = SECONDS,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
        debug: bool = False,
    ) -> None:
        self._plugins = Plugins(HostPlugin())
        self.failures: list[PluginFailure] = self._plugins.failures
        self._resources = Resources(transport, sleep, clock, request_seconds)
        self._context = Context(resources=self._resources, debug=debug)
        # Components are never removed, so what was found once stays found.
        self._found: dict[tuple[str, str, str], tuple[Component, Any, InputForm]] = {}
        self._reading: Tasks = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = process_id()
        self._closed = False
        for plugin in plugins:
            self.register(plugin)

    @classmethod
    def discover(
        cls,
        *,
        plugins: Iterable[object] = (),
        transport: InjectedTransport | None = None,
        request_seconds: float = SECONDS,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
        debug: bool = False,
    ) -> Self:
        """Return a host with every installed component, found by the entry-point group ``integration_components``.

        An installed plugin that cannot be loaded is listed in ``failures`` and logged; the others work without it.
        ``plugins`` are added to the installed ones; the other options are those of the class.
        """
        host = cls(transport=transport, request_seconds=request_seconds, sleep=sleep, clock=clock, debug=debug)
        for entry in installed_plugins():
            host._load(entry)
        for plugin in plugins:
            host.register(plugin)
        return host

    def __repr__(self) -> str:
        """Its components, and whether it is open."""
        state = "closed" if self._closed else "not open" if self._loop is None else "open"
        return f"<{type(self).__name__}, {state}: {join_names(self.components, limit=40)}>"

    @property
    def components(self) -> Mapping[str, Component]:
        """The components by key."""
        return self._plugins.components

    def wrap_transport(self, wrap: Callable[[HttpTransport], HttpTransport]) -> None:
        """From now on send every HTTP request of components over what ``wrap`` makes of the transport so far.

        Call it before the first request: clients keep the transport that they began with.
        """
        self._resources.wrap_transport(wrap)

    def register(self, plugin: object) -> None:
        """Add a plugin; raises ``PluginError`` when it cannot be used, and then nothing of it is added."""
        self._plugins.add(plugin)

    async def invoke_action(
        self, component: str, action: str, inputs: Mapping[str, Any] | None = None, *, context: Context | None = None
    ) -> dict[str, Any]:
        """Run an action and return ``{"data": …}``, plain JSON; an action that waits is awaited to its end.

        Raises ``UnknownKeyError``, ``InputError``, or what the component raises (``PerformError`` and its subclasses).
        A task that was cancelled begins no further action that is not idempotent: it gets its ``CancelledError`` again,
        since ``OutcomeUnknownError`` has taken the place of the first.
        """
        found, operation, form = self._find(component, action, Action)
        if not operation.idempotent and is_cancelled():
            raise asyncio.CancelledError(f"this task was cancelled; {component}.{action} was not called")
        hook = self._plugins.hook.perform_action
        return await self._await_result(
            hook(component=found, action=operation, context=self._complete(context), inputs=form.validate(inputs))
        )

    async def invoke_trigger(
        self,
        component: str,
        trigger: str,
        payload: Mapping[str, Any],
        inputs: Mapping[str, Any] | None = None,
        *,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """Run a trigger on a payload and return ``{"payload": …}``, with ``response`` and states if it sets them.

        Raises what ``invoke_action`` raises.
        """
        found, operation, form = self._find(component, trigger, Trigger)
        hook = self._plugins.hook.perform_trigger
        values = form.validate(inputs)
        return await self._await_result(
            hook(
                component=found,
                trigger=operation,
                context=self._complete(context),
                payload=dict(payload),
                inputs=values,
            )
        )

    async def invoke_data_source(
        self,
        component: str,
        data_source: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """Run a data source and return ``{"result": …}``; raises what ``invoke_action`` raises."""
        found, operation, form = self._find(component, data_source, DataSource)
        hook = self._plugins.hook.perform_data_source
        return await self._await_result(
            hook(component=found, data_source=operation, context=self._complete(context), inputs=form.validate(inputs))
        )

    async def deploy_trigger(
        self,
        component: str,
        trigger: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """Run what a trigger does on deployment and return ``{"result": …}``, with states if it sets them.

        The context's ``webhook_urls`` hold the flow's URL; its ``instance_state`` and ``keep_instance_state`` record
        what was changed. A repeated call does no harm. Raises ``PluginError`` for a trigger that does nothing on
        deployment, and what ``invoke_trigger`` raises.
        """
        found, operation, form = self._find(component, trigger, Trigger)
        if operation.deploy_function is None:
            raise PluginError(f"{component}.{trigger} does nothing when it is deployed")
        hook = self._plugins.hook.perform_instance_deploy
        values = form.validate(inputs)
        return await self._await_result(
            hook(component=found, trigger=operation, context=self._complete(context), inputs=values)
        )

    async def delete_trigger(
        self,
        component: str,
        trigger: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """Undo what ``deploy_trigger`` did, by the states in ``context``, and return ``{"result": …}``.

        Raises ``PluginError`` for a trigger that does nothing on removal, and what ``invoke_trigger`` raises.
        """
        found, operation, form = self._find(component, trigger, Trigger)
        if operation.delete_function is None:
            raise PluginError(f"{component}.{trigger} does nothing when it is removed")
        hook = self._plugins.hook.perform_instance_delete
        values = form.validate(inputs)
        return await self._await_result(
            hook(component=found, trigger=operation, context=self._complete(context), inputs=values)
        )

    async def list_page(
        self,
        component: str,
        action: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        after: str | None = None,
        context: Context | None = None,
    ) -> Page:
        """Return one page of what an action lists: the first, or the one after the page whose ``next`` is ``after``.

        ``inputs`` must be the same for every page. Raises what ``invoke_action`` raises, and ``PluginError`` for an
        action that has no pages.
        """
        return await self._pages_of(component, action, inputs, context)(after)

    def list_pages(
        self,
        component: str,
        action: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        after: str | None = None,
        context: Context | None = None,
    ) -> AsyncGenerator[Page, None]:
        """Iterate over what an action lists: ``async for page in host.list_pages(…): page.items, page.next``.

        The next page is fetched while the caller uses this one; its error is raised in its place. After ``break`` the
        prefetch is cancelled when the generator is collected; use ``contextlib.aclosing`` to cancel it immediately.
        Arguments and errors are those of ``list_page``; wrong arguments raise here, before the first page.
        """
        return prefetch(self._pages_of(component, action, inputs, context), after, self._reading)

    def _pages_of(
        self, component: str, action: str, inputs: Mapping[str, Any] | None, context: Context | None
    ) -> Callable[[str | None], Coroutine[Any, Any, Page]]:
        found, operation, form = self._find(component, action, Action)
        if operation.page_function is None:
            raise PluginError(f"{component}.{action} has no pages: its manifest entry names no 'page' function")
        values, completed = form.validate(inputs), self._complete(context)

        async def fetch(after: str | None) -> Page:
            self._check_state()
            page_context = replace(completed, page=PageRequest(after))
            hook = self._plugins.hook.perform_action
            result = await self._await_result(
                hook(component=found, action=operation, context=page_context, inputs=dict(values))
            )
            page = Page(result.get("data"), result.get("next"))  # type: ignore[arg-type]  # checked below
            if not isinstance(page.items, list) or not isinstance(page.next, (str, type(None))):
                raise PluginError(f"a page of {component}.{action} must be a list in 'data' and a cursor in 'next'")
            if page.next is not None and page.next == after:
                raise PluginError(
                    f"a page of {component}.{action} is followed by itself, so that the list would never end"
                )
            return page

        return fetch

    def validate_inputs(self, component: str, action: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs as the action receives them: converted, cleaned, with defaults; raises ``InputError``.

        ``invoke_action`` does not check what this has returned again, as long as nothing is changed in it.
        """
        return self._find(component, action, Action)[2].accept(inputs)

    async def look_for(
        self, component: str, action: str, inputs: Mapping[str, Any], since: dt.datetime, *, context: Context
    ) -> list[Candidate]:
        """Return what was done at or after ``since`` and may stem from such a call, newest first.

        Raises ``PluginError`` for an action without reconciliation, or what the component raises.
        """
        _, operation, form = self._find(component, action, Action)
        if operation.reconciliation is None:
            raise PluginError(f"{component}.{action} has no 'reconciliation' that could find out whether it happened")
        return await operation.reconciliation.function(self._complete(context), form.validate(inputs), since)

    async def __aenter__(self) -> Self:
        """Bind the host to this event loop."""
        if self._closed or self._loop is not None:
            raise HostStateError("this host was opened before; make a new one")
        self._loop = asyncio.get_running_loop()
        self._process = process_id()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what the host opened."""
        self._closed = True
        await cancel_and_wait(*self._reading)
        await self._resources.aclose()

    def find_action(self, component: str, action: str) -> Action:
        """Return the action; raises ``UnknownKeyError`` with the nearest name."""
        return self._find(component, action, Action)[1]

    def _load(self, entry: EntryPoint) -> None:
        distribution = distribution_of(entry)
        try:
            plugin = load_plugin(entry)
            self._plugins.add(plugin, name=entry.name, distribution=distribution, version=lambda: version_of(entry))
        except DuplicateComponentError:
            raise
        except PluginError as error:
            self.failures.append(PluginFailure(entry.name, distribution, error))
            _LOGGER.error("%s", error)  # noqa: TRY400 - the text is complete; a traceback is for bugs

    def _find(self, component: str, key: str, kind: type[_Op]) -> tuple[Component, _Op, InputForm]:
        self._check_state()
        place = (component, kind.kind, key)
        if place not in self._found:
            self._found[place] = self._look_up(component, key, kind)
        return self._found[place]

    def _look_up(self, component: str, key: str, kind: type[_Op]) -> tuple[Component, _Op, InputForm]:
        found = self.components.get(component)
        if found is None:
            failed = "".join(f"; {item.error}" for item in self.failures)
            hint = did_you_mean(component, self.components) or f" (found: {join_names(self.components)})"
            raise UnknownKeyError(f"there is no component '{component}'{hint}{failed}")
        offered: Mapping[str, Any] = {
            Action: found.actions,
            Trigger: found.triggers,
            DataSource: found.data_sources,
        }[kind]
        operation: _Op | None = offered.get(key)
        if operation is None:
            hint = did_you_mean(key, offered) or f" (it has: {join_names(offered)})"
            raise UnknownKeyError(f"{component} has no {kind.kind} '{key}'{hint}")
        return found, operation, InputForm(operation.inputs, found.connections)

    def _complete(self, context: Context | None) -> Context:
        if context is None:
            return self._context
        if context.resources is self._resources:
            return context
        return replace(context, resources=self._resources, debug=context.debug or self._context.debug)

    def context(self, **parts: Any) -> Context:
        """Return a context for ``invoke_action`` and the others that this host need not complete, with these parts."""
        return Context(resources=self._resources, debug=self._context.debug, **parts)

    async def _await_result(self, awaitable: Awaitable[dict[str, Any]] | None) -> dict[str, Any]:
        if not isinstance(awaitable, Awaitable):
            raise PluginError(
                f"a perform hook returned {type(awaitable).__name__}; it must return an awaitable or None"
            )
        try:
            result = await awaitable
        except SystemExit as error:  # it would end the process, and with it all other flows
            raise RuntimeError(f"a component called sys.exit({error.code!r}) instead of raising an error") from error
        if not isinstance(result, dict):
            raise PluginError(f"a perform hook's awaitable returned {type(result).__name__}; it must return a dict")
        return result

    def _check_state(self) -> None:
        if self._loop is None:
            raise HostStateError("this host is not open; use it inside 'async with'")
        if self._closed:
            raise HostStateError("this host is closed")
        if self._process != process_id():
            raise HostStateError(
                "this host was opened in another process; connections never cross a fork: open one here"
            )
        if self._loop is not asyncio.get_running_loop():
            raise HostStateError("this host belongs to another event loop; from threads use BlockingHost")
