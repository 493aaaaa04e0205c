"""The host for synchronous callers: scripts, workers, notebooks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

from twilio_component.host.errors import HostStateError, IntegrationError
from twilio_component.host.host import Host

if TYPE_CHECKING:
    from types import TracebackType

    from twilio_component.host.context import Context
    from twilio_component.host.discovery import PluginFailure
    from twilio_component.host.model import Component
    from twilio_component.host.results import Page

_T = TypeVar("_T")
_FAREWELL = 1.0  # seconds that an interrupted call has to say what became of it


class BlockingHost:
    """A ``Host`` on an event loop in a background thread; its methods block and may be called from several threads.

    ``with BlockingHost.discover() as host: host.invoke_action(…)``. Open it once and keep it: connections stay open
    between calls. After a fork the child opens a loop, a thread and connections of its own at its first call; the
    parent's are left alone.
    """

    def __init__(self, make: Callable[[], Host]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._running: _Running | None = None
        self._closed = False
        # What a child process inherited and must neither use nor close: closing would say goodbye to the server on
        # the parent's connections.
        self._inherited: list[_Running] = []

    @classmethod
    def discover(cls, **options: Any) -> Self:
        """A blocking host with every installed component; ``options`` are those of ``Host.discover``."""
        return cls(lambda: Host.discover(**options))

    def __repr__(self) -> str:
        """Its components, and whether it is open; it opens at its first use."""
        running = self._running
        shown = "closed" if self._closed else "not open yet" if running is None else repr(running.host).strip("<>")
        return f"<{type(self).__name__}: {shown}>"

    @property
    def components(self) -> Mapping[str, Component]:
        """The components by key."""
        return self._current().host.components

    def invoke_action(
        self, component: str, action: str, inputs: Mapping[str, Any] | None = None, *, context: Context | None = None
    ) -> dict[str, Any]:
        """Run an action and return ``{"data": …}``, as ``Host.invoke_action`` does."""
        return self.run(lambda host: host.invoke_action(component, action, inputs, context=context))

    def invoke_trigger(
        self,
        component: str,
        trigger: str,
        payload: Mapping[str, Any],
        inputs: Mapping[str, Any] | None = None,
        *,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """Run a trigger on a payload and return ``{"payload": …}``, as ``Host.invoke_trigger`` does."""
        return self.run(lambda host: host.invoke_trigger(component, trigger, payload, inputs, context=context))

    def invoke_data_source(
        self,
        component: str,
        data_source: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """Run a data source and return ``{"result": …}``, as ``Host.invoke_data_source`` does."""
        return self.run(lambda host: host.invoke_data_source(component, data_source, inputs, context=context))

    def deploy_trigger(
        self,
        component: str,
        trigger: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """Run what a trigger does on deployment and return ``{"result": …}``, as ``Host.deploy_trigger`` does."""
        return self.run(lambda host: host.deploy_trigger(component, trigger, inputs, context=context))

    def delete_trigger(
        self,
        component: str,
        trigger: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """Undo what ``deploy_trigger`` did and return ``{"result": …}``, as ``Host.delete_trigger`` does."""
        return self.run(lambda host: host.delete_trigger(component, trigger, inputs, context=context))

    def list_page(
        self,
        component: str,
        action: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        after: str | None = None,
        context: Context | None = None,
    ) -> Page:
        """Return one page of what an action lists, as ``Host.list_page`` does."""
        return self.run(lambda host: host.list_page(component, action, inputs, after=after, context=context))

    def list_pages(
        self,
        component: str,
        action: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        after: str | None = None,
        context: Context | None = None,
    ) -> Iterator[Page]:
        """Iterate over what an action lists, page by page; the background loop prefetches the next page.

        Arguments and errors are those of ``Host.list_pages``. After ``break`` the prefetch is cancelled when the
        iterator is collected.
        """

        async def begin(host: Host) -> AsyncGenerator[Page, None]:
            return host.list_pages(component, action, inputs, after=after, context=context)

        return self._iterate(self._current(), self.run(begin))

    def _iterate(self, running: _Running, pages: AsyncGenerator[Page, None]) -> Iterator[Page]:
        async def fetch_next(host: Host) -> Page | None:
            if host is not running.host:
                raise HostStateError("this list was started in another process; start it again in this one")
            return await anext(pages, None)

        # When this generator is dropped half-way, so is the other: its loop then closes that, whichever thread this is.
        while (page := self.run(fetch_next)) is not None:
            yield page

    def run(self, start: Callable[[Host], Coroutine[Any, Any, _T]]) -> _T:
        """Run a coroutine on the background loop and return its result: ``host.run(lambda inner: inner.list_page(…))``.

        ``start`` gets the open ``Host`` and is called in the background thread. Raises ``HostStateError`` for a closed
        host, and in the background thread itself (for a component that calls its own host), and what the coroutine
        raises. Ctrl-C, or a worker's time limit, cancels the call; the exception then has a note with the call's own
        error, which says whether something may have been sent.
        """
        running = self._current()
        running.refuse_own_thread()
        task: asyncio.Task[Any] | None = None

        async def call() -> _T:
            nonlocal task
            task = asyncio.current_task()
            return await start(running.host)

        def cancel() -> None:
            if task is None:
                future.cancel()
            else:
                task.cancel()

        with self._lock:
            # Under the lock, so that closing either sees this call or refuses it.
            if self._closed:
                raise HostStateError("this host is closed")
            future = asyncio.run_coroutine_threadsafe(call(), running.loop)
        try:
            return future.result()
        except CancelledError as error:
            raise HostStateError("this host was closed while the call was in progress") from error
        except BaseException as interruption:
            if not future.done():
                # Ctrl-C, or a worker's time limit: the call in the background is cancelled, not left running unseen.
                running.loop.call_soon_threadsafe(cancel)
                with suppress(CancelledError, TimeoutError):
                    outcome = future.exception(_FAREWELL)
                    if isinstance(outcome, IntegrationError):
                        interruption.add_note(f"The call that was interrupted: {outcome}")
            raise

    def __enter__(self) -> Self:
        """Start the background loop."""
        self._current()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the host, as ``close`` does."""
        self.close()

    @property
    def failures(self) -> list[PluginFailure]:
        """The installed plugins that could not be loaded."""
        return self._current().host.failures

    def close(self) -> None:
        """Cancel pending calls, close connections and stop the loop; a closed host stays closed.

        Raises ``HostStateError`` in the host's own thread, which would wait for itself.
        """
        if (own := self._running) is not None:
            own.refuse_own_thread()
        with self._lock:
            self._closed = True
            running, self._running = self._running, None
        if running is not None and running.process == os.getpid():
            running.stop()

    def _current(self) -> _Running:
        if self._process != os.getpid():
            # Another thread of the parent may have held it when the process was forked.
            self._process, self._lock = os.getpid(), threading.Lock()
        with self._lock:
            if self._closed:
                raise HostStateError("this host is closed")
            if self._running is not None and self._running.process != os.getpid():
                self._inherited.append(self._running)
                self._running = None
            if self._running is None:
                self._running = _Running(self._make())
            return self._running


class _Running:
    """An open host on an event loop in a thread of its own."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.process = os.getpid()
        self.loop = asyncio.new_event_loop()
        # A daemon: a program that forgets to close its host still ends.
        self.thread = threading.Thread(target=self.loop.run_forever, name="twilio-component host", daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(host.__aenter__(), self.loop).result()

    def refuse_own_thread(self) -> None:
        if threading.current_thread() is self.thread:
            raise HostStateError("a component must not call the host that runs it and wait: it would wait for ever")

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _close(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.host.__aexit__(None, None, None)
