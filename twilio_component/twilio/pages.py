"""One page of a list, with a cursor that leads to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import InputError, Problem
from twilio_component.host.results import Page

if TYPE_CHECKING:
    from twilio_component.twilio.client import ObjectHook, Pairs, TwilioClient

MAX_PAGE_SIZE = 1_000


async def list_page(
    client: TwilioClient,
    path: str,
    key: str,
    payload: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    after: str | None,
    params: Pairs = (),
    size: int = MAX_PAGE_SIZE,
    limit: int | None = None,
    object_hook: ObjectHook | None = None,
) -> Page:
    """Return the page of the list at ``path`` that the cursor ``after`` leads to, or the first.

    ``payload`` converts each resource. ``params`` filter the list, ``size`` is how many items one request asks for, and
    ``limit`` how many all pages have together. ``object_hook`` may replace every JSON object of the page as soon as it
    is parsed, before ``payload`` sees it. A cursor is Twilio's path to the next page, with the rest of the limit behind
    ``#``. Raises ``InputError`` for a cursor of another list.
    """
    if after is None:
        query = [*params, ("PageSize", str(min(size, limit or size)))]
        resources, next_path = await client.page(path, key, query, object_hook=object_hook)
    else:
        link, limit = _parse_cursor(after, path)
        resources, next_path = await client.page(link, key, object_hook=object_hook)
    items = [payload(resource) for resource in resources[:limit]]
    if limit is None or next_path is None:
        return Page(items, next_path, ready=True)
    left = limit - len(items)
    return Page(items, f"{next_path}#{left}" if left else None, ready=True)


def _parse_cursor(cursor: str, path: str) -> tuple[str, int | None]:
    """The path to the page, and the rest of the limit."""
    link, _, left = cursor.partition("#")
    plain = link.isascii() and link.isprintable() and " " not in link
    if not plain or link.partition("?")[0] != path or not (left == "" or (left.isdecimal() and int(left))):
        raise InputError(
            "The inputs are not valid", [Problem("$.after", "must be a cursor that an earlier page of this list gave")]
        )
    return link, int(left) if left else None
