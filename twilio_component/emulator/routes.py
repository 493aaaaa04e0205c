"""Which request is whose: the paths of the API as data, and the way of one request to its handler."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twilio_component.emulator import message_routes as messages
from twilio_component.emulator.limits import not_emulated
from twilio_component.emulator.refusals import Refusal
from twilio_component.emulator.world import Call, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twilio_component.emulator.accounts import Account
    from twilio_component.emulator.wire import Answer, Request

_ACCOUNT = "/2010-04-01/Accounts/{account}"
_MESSAGE = _ACCOUNT + "/Messages/{message}"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: ``name`` is what journals, rules and faults call it."""

    method: str
    path: str
    name: str
    handler: Callable[[Call], Answer]


ROUTES = (
    Route("POST", _ACCOUNT + "/Messages.json", "messages.create", messages.create),
    Route("GET", _ACCOUNT + "/Messages.json", "messages.list", messages.list_page),
    Route("GET", _MESSAGE + ".json", "messages.fetch", messages.fetch),
    Route("POST", _MESSAGE + ".json", "messages.update", messages.update),
    Route("DELETE", _MESSAGE + ".json", "messages.delete", messages.delete),
    Route("GET", _MESSAGE + "/Media.json", "media.list", messages.list_media),
    Route("GET", _MESSAGE + "/Media/{media}.json", "media.fetch", messages.fetch_media),
    Route("GET", _MESSAGE + "/Media/{media}", "media.content", messages.media_content),
    Route("DELETE", _MESSAGE + "/Media/{media}.json", "media.delete", messages.delete_media),
    Route("POST", _MESSAGE + "/Feedback.json", "feedback.create", messages.create_feedback),
)

# Twilio's test credentials can do nothing else.
_OPEN_TO_TEST_CREDENTIALS = frozenset({"messages.create"})


def _compiled(path: str) -> re.Pattern[str]:
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/.]+)", path.replace(".", r"\."))
    return re.compile(pattern)


_COMPILED = [
    (_compiled(path), {one.method: one for one in ROUTES if one.path == path})
    for path in dict.fromkeys(one.path for one in ROUTES)
]


def find_route(request: Request) -> tuple[Route, dict[str, str]] | None:
    """The route of a request and what its path names; None for an unknown path.

    Raises `Refusal` 20004 for a method that the path does not have.
    """
    for pattern, by_method in _COMPILED:
        match = pattern.fullmatch(request.path)
        if match is None:
            continue
        if request.method not in by_method:
            raise Refusal(20004, headers={"Allow": ", ".join(by_method)})
        return by_method[request.method], match.groupdict()
    return None


def respond(world: World, request: Request) -> Answer:
    """The answer to one request."""
    try:
        found = find_route(request)
        if found is None:
            return not_emulated(request.path) or Refusal(20404, path=request.path).answer()
        route, names = found
        return route.handler(Call(world, _account(world, request, route, names), request, names))
    except Refusal as refusal:
        return refusal.answer()


def _account(world: World, request: Request, route: Route, names: Mapping[str, str]) -> Account:
    account = world.accounts.authenticate(request.headers.get("authorization"), names.get("account"))
    if account.test and route.name not in _OPEN_TO_TEST_CREDENTIALS:
        raise Refusal(20008)
    return account
