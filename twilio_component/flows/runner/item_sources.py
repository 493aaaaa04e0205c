"""Where a loop's items come from, read page by page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.parsing.item_files import PAGE, ItemsError, check_whole, item_file, read_page

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Call, ItemSource
    from twilio_component.flows.model import Flow, Integration
    from twilio_component.flows.runner.invoker import Invoker

Page = dict[str, Any]
"""``{"items": […], "next": …}``, the result of a ``TakePage``."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Reads the items of one execution's loops; ``payload`` is what it was started with."""

    invoker: Invoker
    integration: Integration
    flow: Flow
    payload: Mapping[str, Any] = field(repr=False)

    async def page(self, source: ItemSource, after: Any) -> Page | Failure:
        """The next items, or why they cannot be read. A file is read as a whole before its first page is given."""
        try:
            if source.file is not None:
                return await asyncio.to_thread(self._file_page, source.file, after)
            if source.listing is not None:
                return await self.invoker.page(self.flow, source.listing, self.payload, after)
        except ItemsError as error:
            return Failure(code=error.code, message=str(error), permanent=True)
        except Exception as error:  # noqa: BLE001 - as of any call: a flow decides what follows
            return self._failure(source.listing, error)
        items, begin = source.items or [], after or 0
        end = begin + PAGE
        return {"items": items[begin:end], "next": end if end < len(items) else None}

    async def pages(self, source: ItemSource, after: Any = None) -> AsyncGenerator[Page | Failure, None]:
        """All pages after that one, each read while the one before it is used; a failure is the last."""
        reading = asyncio.ensure_future(self.page(source, after))
        try:
            while True:
                page = await reading
                following = None if isinstance(page, Failure) else page["next"]
                if following is None:
                    yield page
                    return
                reading = asyncio.ensure_future(self.page(source, following))
                yield page
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _file_page(self, name: str, after: Any) -> Page:
        folder = self.invoker.configuration.items_folder or Path(self.integration.file).parent
        path = item_file(name, folder)
        if after is None:
            check_whole(path)
        return read_page(path, after)

    def _failure(self, listing: Call | None, error: Exception) -> Failure:
        if listing is None:
            raise error
        return self.invoker.failure(listing, error)
