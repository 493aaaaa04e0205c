"""Lists, page by page: while one page is used, the next one is on its way.

A page function, ``async (context, inputs, after) -> Page``, gets one page of a list: the first one, or the one that the
cursor ``after`` of the page before it leads to. Everything else is made of that here.
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
    """The pages from ``after`` on, the next one fetched while its predecessor is used; no more than that one.

    An error of ``fetch`` arises where its page would have come. When the caller stops early the fetching is cancelled.
    ``tasks`` holds what is under way: whoever owns it may cancel that, and a caller who still reads is told.
    """
    tasks = set() if tasks is None else tasks
    page = await fetch(after)
    while page.next is not None:
        task = asyncio.create_task(fetch(page.next))
        tasks.add(task)
        try:
            # Let it ask before the caller is busy: a caller that never waits would not let it begin.
            await asyncio.sleep(0)
            yield page
            page = await _fetched(task)
        finally:
            tasks.discard(task)
            await cancel_and_wait(task)
    yield page


async def cancel_and_wait(*tasks: asyncio.Task[Page]) -> None:
    """Cancel tasks and wait until they have come to their end, whichever that is."""
    for task in tasks:
        task.cancel()
    # Their errors count as seen: they belong to pages that nobody wants any more.
    await asyncio.gather(*tasks, return_exceptions=True)


def collect_pages(fetch_page: Callable[[Context, Mapping[str, Any], str | None], Coroutine[Any, Any, Page]]) -> Perform:
    """The perform function of the list whose page function this is: all items at once."""

    async def perform(context: Context, inputs: Mapping[str, Any]) -> Result:
        found: list[Any] = []
        ready = True
        async for page in prefetch(lambda after: fetch_page(context, inputs, after)):
            found += page.items
            ready = ready and page.ready
        return Result(value=found, ready=ready)

    return perform


async def _fetched(task: asyncio.Task[Page]) -> Page:
    try:
        return await task
    except asyncio.CancelledError:
        this = asyncio.current_task()
        if this is not None and this.cancelling():
            raise
        raise HostStateError("this host was closed while a list was being read") from None
