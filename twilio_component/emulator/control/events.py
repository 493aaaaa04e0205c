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
    from twilio_component.emulator.state import EmulatorState

# Milliseconds after which a browser that lost the connection tries again.
_RETRY = 1000
_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def event_stream(state: EmulatorState, last_event_id: str | None, heartbeat: float = HEARTBEAT) -> Response:
    """Return an endless stream: the changes after ``last_event_id``, or ``reset`` and the changes from now on."""
    changes = state.feed.watch(last_event_id, heartbeat)
    try:
        first = await anext(changes)
    except TooManyWatchersError:
        return json_response(503, {"error": "too many programs watch already"}, {"Retry-After": "5"})
    return Response(200, f"retry: {_RETRY}\n\n".encode(), dict(_HEADERS), stream=_stream(state, first, changes))


async def _stream(
    state: EmulatorState, first: list[Change], changes: AsyncGenerator[list[Change], None]
) -> AsyncGenerator[bytes, None]:
    try:
        yield _event_lines(state, first)
        async for batch in changes:
            yield _event_lines(state, batch)
    finally:
        await changes.aclose()


def _event_lines(state: EmulatorState, batch: list[Change]) -> bytes:
    """Return a batch on the wire. A message that changed several times appears once, as it is now."""
    newest = {(change.kind, id(change.subject)): change for change in batch}
    changes = sorted(newest.values(), key=lambda change: change.number)
    return "".join(_event(state, change) for change in changes).encode() or b": still here\n\n"


def _event(state: EmulatorState, change: Change) -> str:
    data = json.dumps(_data(state, change), separators=(",", ":"), ensure_ascii=False)
    return f"id: {state.feed.position(change.number)}\nevent: {change.kind}\ndata: {data}\n\n"


def _data(state: EmulatorState, change: Change) -> Any:
    if change.kind in ("message", "refusal"):
        return item_view(change.subject)
    if change.kind == "webhook":
        return {"sid": change.subject.message_sid}
    return state_view(state)
