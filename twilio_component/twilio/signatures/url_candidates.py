"""URLs that a refused webhook may have been signed for, after the usual changes between Twilio and a server.

They are never accepted: when one of them matches the signature, the operator learns what to correct.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twilio_component.twilio.signatures.webhook_url import WebhookUrl

_USUAL_PORTS = ("80", "443", "8080", "8443")
_HOST_HEADERS = ("x-forwarded-host", "host")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+)(?::([0-9]{1,5}))?")


class _Change(NamedTuple):
    """One change that a proxy or framework may have made to the URL: a description and a function."""

    part: str
    description: str
    apply: Callable[[WebhookUrl], WebhookUrl]


def url_candidates(url: WebhookUrl, headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, WebhookUrl]]:
    """Yield other URLs, each with a description of its difference from ``url``: first one change, then two at once.

    ``headers`` are pairs with names in lower case; their host and user info are tried too.
    """
    known = dict(headers)
    changes = [*_scheme(url), *_address(url, known), *_user(url, known), *_path(url), *_query(url)]
    pairs = [(one, two) for one, two in combinations(changes, 2) if one.part != two.part]
    seen = {url}
    for chosen in [*((change,) for change in changes), *pairs]:
        changed = url
        for change in chosen:
            changed = change.apply(changed)
        if changed not in seen:
            seen.add(changed)
            yield " and ".join(change.description for change in chosen), changed


def _scheme(url: WebhookUrl) -> Iterator[_Change]:
    other = "http" if url.scheme.lower() == "https" else "https"
    yield _Change("scheme", f"scheme {other}", lambda url: replace(url, scheme=other))


def _address(url: WebhookUrl, headers: dict[str, str]) -> Iterator[_Change]:
    def at(host: str, port: str | None) -> Callable[[WebhookUrl], WebhookUrl]:
        return lambda url: replace(url, host=host, port=port)

    for port in _USUAL_PORTS:
        yield _Change("address", f"port {port}", at(url.host, port))
    for header in _HOST_HEADERS:
        match = _HOST.fullmatch(headers.get(header, ""))
        if match:
            yield _Change("address", f"the host of the {header} header", at(match[1], match[2]))


def _user(url: WebhookUrl, headers: dict[str, str]) -> Iterator[_Change]:
    if url.user is not None:
        yield _Change("user", "no user info", lambda url: replace(url, user=None))
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return
    try:
        user = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return
    yield _Change("user", "the user info of the authorization header", lambda url: replace(url, user=user))


def _path(url: WebhookUrl) -> Iterator[_Change]:
    def to(path: str) -> Callable[[WebhookUrl], WebhookUrl]:
        return lambda url: replace(url, path=path)

    if url.path.endswith("/"):
        yield _Change("path", "no trailing slash", to(url.path[:-1]))
    else:
        yield _Change("path", "a trailing slash", to(url.path + "/"))
    yield _Change("path", "a path decoded once", to(unquote(url.path)))
    yield _Change("path", "a path encoded once more", to(quote(url.path, safe="/")))


def _query(url: WebhookUrl) -> Iterator[_Change]:
    def to(query: str | None) -> Callable[[WebhookUrl], WebhookUrl]:
        return lambda url: replace(url, query=query)

    if url.query is None:
        yield _Change("query", "an empty query", to(""))
        return
    pairs = parse_qsl(url.query, keep_blank_values=True)
    yield _Change("query", "a re-encoded query", to(urlencode(pairs, quote_via=quote_plus)))
    yield _Change("query", "a re-encoded query with %20 for a space", to(urlencode(pairs, quote_via=quote)))
    yield _Change("query", "a query decoded once", to(unquote(url.query)))
    yield _Change("query", "a query sorted by name", to("&".join(sorted(url.query.split("&")))))
    yield _Change("query", "a query without its blank parameters", to(_without_blanks(url.query)))
    yield _Change("query", "no query", to(None))


def _without_blanks(query: str) -> str | None:
    return "&".join(piece for piece in query.split("&") if piece.partition("=")[2]) or None
