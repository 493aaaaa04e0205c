"""One page of a list of Twilio's, with a cursor that leads on from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import InputError, Problem
from twilio_component.host.results import Page

if TYPE_CHECKING:
    from twilio_component.twilio.client import Each, Pairs, TwilioClient

LARGEST_PAGE = 1_000


async def list_page(
    client: TwilioClient,
    path: str,
    key: str,
    payload: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    after: str | None,
    params: Pairs = (),
    size: int = LARGEST_PAGE,
    limit: int | None = None,
    each: Each | None = None,
) -> Page:
    """The page of the list at ``path`` that ``after`` leads to, or the first, its resources made into ``payload``.

    ``params`` filter the list, ``size`` is how many are asked for at a time and ``limit`` how many are wanted in all.
    ``each`` sees every object of the page while that is read, before ``payload`` does.
    A cursor is Twilio's path to the next page, with what is left of the limit behind ``#``. Raises ``InputError`` for
    a cursor of another list.
    """
    if after is None:
        asked = [*params, ("PageSize", str(min(size, limit or size)))]
        found, following = await client.page(path, key, asked, each=each)
    else:
        link, limit = _read(after, path)
        found, following = await client.page(link, key, each=each)
    items = [payload(resource) for resource in found[:limit]]
    if limit is None or following is None:
        return Page(items, following, ready=True)
    left = limit - len(items)
    return Page(items, f"{following}#{left}" if left else None, ready=True)


def _read(cursor: str, path: str) -> tuple[str, int | None]:
    """The path to the page, and what is left of the limit."""
    link, _, left = cursor.partition("#")
    plain = link.isascii() and link.isprintable() and " " not in link
    if not plain or link.partition("?")[0] != path or not (left == "" or (left.isdecimal() and int(left))):
        raise InputError(
            "The inputs are not valid", [Problem("$.after", "must be a cursor that an earlier page of this list gave")]
        )
    return link, int(left) if left else None
