"""Lists, page by page: the next page is found by following ``next_page_uri``, whose token only the emulator reads."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Fields, Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEFAULT_SIZE = 50
MAXIMUM_SIZE = 1000

# Scrambles positions, so that nobody comes to rely on what a token looks like.
_MASK = uuid.uuid4().int
_OLDER, _NEWER = "PA", "PB"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is page_request for: its size, its number (client state only) and where it begins.

    ``older_than`` and ``newer_than`` are positions; with neither, the page is the first.
    """

    size: int
    number: int
    older_than: int | None = None
    newer_than: int | None = None

    @classmethod
    def parse(cls, arguments: Fields) -> PageRequest:
        """Read ``PageSize``, ``Page`` and ``PageToken``; `ApiError` 20001 for what is none of them."""
        size = min(_whole_number(arguments, "PageSize", DEFAULT_SIZE, minimum=1), MAXIMUM_SIZE)
        number = _whole_number(arguments, "Page", 0, minimum=0)
        token = arguments.get("PageToken")
        if not token:
            return cls(size, number)
        kind, position = token[:2], _position(token[2:])
        if kind not in (_OLDER, _NEWER) or position is None:
            raise ApiError(20001, name="PageToken", reason="it is not one that a page of this list gave out")
        return cls(size, number, **{"older_than" if kind == _OLDER else "newer_than": position})


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one page, and the positions at which the neighbouring pages begin (None: there is none)."""

    records: list[dict[str, Any]]
    next_older_than: int | None = None
    previous_newer_than: int | None = None


def take_page(page_request: PageRequest, found: Iterator[tuple[int, Any]]) -> tuple[list[tuple[int, Any]], bool]:
    """Return the records of a page from an iterator that begins there, and whether more follow."""
    taken = list(islice(found, page_request.size + 1))
    return taken[: page_request.size], len(taken) > page_request.size


def page_of(page_request: PageRequest, items: Sequence[dict[str, Any]]) -> Page:
    """Return a page of a list that is short enough to stand in memory; positions count from its beginning."""
    begin = page_request.older_than or 0
    if page_request.newer_than is not None:
        begin = max(0, page_request.newer_than - page_request.size)
    end = begin + page_request.size
    return Page(list(items[begin:end]), end if end < len(items) else None, begin if begin > 0 else None)


def page_response(path: str, arguments: Fields, page_request: PageRequest, key: str, page: Page) -> Response:
    """Return a list page in the shape of the 2010 API; its URIs keep the filters and are relative to the host."""
    start = page_request.number * page_request.size

    def uri(number: int, token: str | None = None) -> str:
        return f"{path}?{urlencode(_query(arguments, page_request.size, number, token))}"

    older, newer = page.next_older_than, page.previous_newer_than
    return json_response(
        200,
        {
            "first_page_uri": uri(0),
            "end": start + max(0, len(page.records) - 1),
            "previous_page_uri": None if newer is None else uri(max(0, page_request.number - 1), _token(_NEWER, newer)),
            key: page.records,
            "uri": f"{path}?{urlencode(list(arguments))}" if list(arguments) else uri(0),
            "page_size": page_request.size,
            "start": start,
            "next_page_uri": None if older is None else uri(page_request.number + 1, _token(_OLDER, older)),
            "page": page_request.number,
        },
    )


def meta_page_response(request: Request, page_request: PageRequest, key: str, page: Page) -> Response:
    """Return a list page in the shape of the newer APIs: URLs are absolute, and stand under ``meta``."""

    def url(number: int, token: str | None = None) -> str:
        query = urlencode(_query(request.arguments, page_request.size, number, token))
        return f"{request.base_url}{request.path}?{query}"

    older, newer = page.next_older_than, page.previous_newer_than
    meta = {
        "page": page_request.number,
        "page_size": page_request.size,
        "first_page_url": url(0),
        "previous_page_url": None if newer is None else url(max(0, page_request.number - 1), _token(_NEWER, newer)),
        "url": url(page_request.number),
        "next_page_url": None if older is None else url(page_request.number + 1, _token(_OLDER, older)),
        "key": key,
    }
    return json_response(200, {key: page.records, "meta": meta})


def _query(arguments: Fields, size: int, number: int, token: str | None) -> list[tuple[str, str]]:
    filters = [(name, value) for name, value in arguments if name not in ("Page", "PageSize", "PageToken")]
    place = [("PageSize", str(size)), ("Page", str(number))]
    return filters + place + ([] if token is None else [("PageToken", token)])


def _token(kind: str, position: int) -> str:
    return f"{kind}SM{position ^ _MASK:032x}"


def _position(text: str) -> int | None:
    try:
        position = int(text.removeprefix("SM"), 16) ^ _MASK
    except ValueError:
        return None
    return position if position < 1 << 48 else None


def _whole_number(arguments: Fields, name: str, default: int, *, minimum: int) -> int:
    text = arguments.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < minimum:
        raise ApiError(20001, name=name, reason=f"an integer from {minimum} is allowed")
    return int(text)
