"""Lists, page by page: while one page is used, the next one is fetched.

A page function, ``async (context, inputs, after) -> Page``, gets one page of a list: the first, or the one at the
cursor ``after``, which the page before it returned as ``next``. Everything else is built on that here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import HostStateError
from twilio_component.host.results import Page, Result

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.host.model import Perform

Fetch = Callable[[str | None], Coroutine[Any, Any, Page]]
Tasks = set[asyncio.Task[Page]]


async def prefetch(fetch: Fetch, after: str | None = None, tasks: Tasks | None = None) -> AsyncGenerator[Page, None]:
    """Yield the pages from ``after`` on; while the caller uses one, only the next one is fetched.

    An error of ``fetch`` is raised in place of its page. When the caller stops early the fetch is cancelled. ``tasks``
    holds the fetch in progress: its owner may cancel it, and a caller that still reads gets ``HostStateError``.
    """
    tasks = set() if tasks is None else tasks
    page = await fetch(after)
    while page.next is not None:
        task = asyncio.create_task(fetch(page.next))
        tasks.add(task)
        try:
            # Let the fetch start before the caller is busy: a caller that never awaits would not let it.
            await asyncio.sleep(0)
            yield page
            page = await _wait_for_page(task)
        finally:
            tasks.discard(task)
            await cancel_and_wait(task)
    yield page


async def cancel_and_wait(*tasks: asyncio.Task[Page]) -> None:
    """Cancel tasks and wait until they have ended; their errors are dropped."""
    for task in tasks:
        task.cancel()
    # Their errors belong to pages that nobody reads any more.
    await asyncio.gather(*tasks, return_exceptions=True)


def collect_pages(fetch_page: Callable[[Context, Mapping[str, Any], str | None], Coroutine[Any, Any, Page]]) -> Perform:
    """Return the perform function for a page function: it returns the items of all pages at once."""

    async def perform(context: Context, inputs: Mapping[str, Any]) -> Result:
        found: list[Any] = []
        ready = True
        async for page in prefetch(lambda after: fetch_page(context, inputs, after)):
            found += page.items
            ready = ready and page.ready
        return Result(value=found, ready=ready)

    return perform


async def _wait_for_page(task: asyncio.Task[Page]) -> Page:
    try:
        return await task
    except asyncio.CancelledError:
        this = asyncio.current_task()
        if this is not None and this.cancelling():
            raise
        raise HostStateError("this host was closed while a list was being read") from None
