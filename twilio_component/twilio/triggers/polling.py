"""The trigger ``pollChangesTrigger``: new messages, and messages whose status, error or price has changed.

Twilio's list has no cursor for changes. A poll must cope with a list that lags, pages that shift while they are read,
many messages in one second, more messages than one poll reports, deleted messages, and clocks that jump. So it reads
the list from the newest message on, compares it with the stored state of the last polls, and stores only what it has
reported. The local clock is not used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.results import Result
from twilio_component.twilio.client import client_for
from twilio_component.twilio.pages import MAX_PAGE_SIZE
from twilio_component.twilio.parameters import parameters
from twilio_component.twilio.payloads import message
from twilio_component.twilio.triggers.poll_diff import ListDiff, Message, oldest_first, status_fingerprint
from twilio_component.twilio.triggers.poll_state import MAX_REMEMBERED, PollState

if TYPE_CHECKING:
    from twilio_component.host.context import Context

PAGE = MAX_PAGE_SIZE
_STATE = "pollChangesTrigger"


async def poll(context: Context, payload: Mapping[str, Any], inputs: Mapping[str, Any]) -> Result:
    """Report the changes since the last poll: ``{"created": […], "updated": […]}`` in ``body.data``, oldest first.

    The first poll reports nothing and only stores where the list ends. ``updated`` are messages created within the
    look-back window whose status, error or price has changed since they were last reported. At most ``limit`` of each
    are reported; the rest follows with the next polls. ``polledNoChanges`` is true when there is nothing to report. The
    new state is the result's ``instance_state``.
    """
    state = _load_state(context)
    if state is None:
        return _result(payload, await _initial_state(context, inputs), [], [])
    diff = ListDiff(state, inputs["limit"])
    async for one in _newest_first(context, inputs):
        if not diff.take(one):
            break
    diff.end()
    created = _update_state(context, state, diff, dt.timedelta(minutes=inputs["lookBackMinutes"]))
    return _result(
        payload,
        state,
        created if inputs["showNewRecords"] else [],
        oldest_first(diff.changed) if inputs["showUpdatedRecords"] else [],
    )


def _update_state(context: Context, state: PollState, diff: ListDiff, look_back: dt.timedelta) -> list[Message]:
    """Put what is reported into the state, and return the new messages to report, the oldest first."""
    for one in diff.changed:
        state.seen[one["sid"]] = _seen_entry(one)
    unreported = diff.changed_sids - {one["sid"] for one in diff.changed}
    new = oldest_first(diff.new)
    dates = [created for created, _ in state.seen.values()] + [one["dateCreated"] for one in new]
    if dates:
        state.advance(max(dates), look_back, unreported)
    forgotten = state.make_room(len(new), unreported)
    if forgotten:
        context.logger.warning(
            "pollChangesTrigger watches %s messages at most: %s younger than lookBackMinutes are no longer watched for "
            "changes; a shorter time, or a filter by from or to, avoids that",
            f"{MAX_REMEMBERED:,}",
            f"{forgotten:,}",
        )
    state.remember({one["sid"]: _seen_entry(one) for one in new}, dict.fromkeys(reversed(diff.listed)))
    if dates:
        # A message that was listed late can be older than what has just been forgotten, which would be new above it.
        state.advance(max(dates), look_back, unreported)
    return new


def _load_state(context: Context) -> PollState | None:
    state = context.instance_state.get(_STATE)
    if state is None:
        return None
    state = PollState.from_json(state)
    if state is None:
        context.logger.warning(
            "pollChangesTrigger cannot read its state: a later version wrote it. It starts over, and does not report "
            "the changes since the last poll"
        )
    return state


async def _initial_state(context: Context, inputs: Mapping[str, Any]) -> PollState:
    """The state of the first poll: the newest message, and all that were created in the same second."""
    newest = ""
    seen = {}
    async for one in _newest_first(context, inputs):
        newest = newest or one["dateCreated"]
        if one["dateCreated"] < newest:
            break
        seen[one["sid"]] = _seen_entry(one)
    return PollState(newest, dict(reversed(seen.items())))


async def _newest_first(context: Context, inputs: Mapping[str, Any]) -> AsyncIterator[Message]:
    """Yield the messages that pass the filters."""
    client = client_for(context, inputs["connection"])
    params = [*parameters(inputs, {"to": "To", "from": "From"}), ("PageSize", str(PAGE))]
    async for page in client.pages(f"{client.account_path}/Messages.json", "messages", params):
        for resource in page:
            yield message(resource)


def _seen_entry(one: Message) -> tuple[str, str]:
    return one["dateCreated"], status_fingerprint(one)


def _result(payload: Mapping[str, Any], state: PollState, created: list[Message], updated: list[Message]) -> Result:
    return Result(
        value={**payload, "body": {"data": {"created": created, "updated": updated}}},
        instance_state={_STATE: state.to_json()},
        extra={"polledNoChanges": not created and not updated},
    )
