"""The feed as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.change_feed import HEARTBEAT, TooManyWatchersError
from twilio_component.emulator.control.views import item_view, state_view
from twilio_component.emulator.http import Response, json_response

if TYPE_CHECKING:
    from twilio_component.emulator.change_feed import Change
    from twilio_component.emulator.emulator import Emulator

# Milliseconds after which a browser that lost the connection tries again.
_RETRY = 1000
_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def events_answer(emulator: Emulator, last_event_id: str | None, heartbeat: float = HEARTBEAT) -> Response:
    """A stream that never ends: what follows the event ``last_event_id``, or ``reset`` and what happens from now on."""
    changes = emulator.feed.watch(last_event_id, heartbeat)
    try:
        first = await anext(changes)
    except TooManyWatchersError:
        return json_response(503, {"error": "too many programs watch already"}, {"Retry-After": "5"})
    return Response(200, f"retry: {_RETRY}\n\n".encode(), dict(_HEADERS), stream=_stream(emulator, first, changes))


async def _stream(
    emulator: Emulator, first: list[Change], changes: AsyncGenerator[list[Change], None]
) -> AsyncGenerator[bytes, None]:
    try:
        yield _told(emulator, first)
        async for batch in changes:
            yield _told(emulator, batch)
    finally:
        await changes.aclose()


def _told(emulator: Emulator, batch: list[Change]) -> bytes:
    """A batch on the wire. Of a message that changed several times since, only what it is now is told."""
    newest = {(change.kind, id(change.subject)): change for change in batch}
    changes = sorted(newest.values(), key=lambda change: change.number)
    return "".join(_event(emulator, change) for change in changes).encode() or b": still here\n\n"


def _event(emulator: Emulator, change: Change) -> str:
    data = json.dumps(_data(emulator, change), separators=(",", ":"), ensure_ascii=False)
    return f"id: {emulator.feed.position(change.number)}\nevent: {change.kind}\ndata: {data}\n\n"


def _data(emulator: Emulator, change: Change) -> Any:
    if change.kind in ("message", "refusal"):
        return item_view(change.subject)
    if change.kind == "webhook":
        return {"sid": change.subject.message_sid}
    return state_view(emulator)
