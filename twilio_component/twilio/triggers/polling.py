"""The trigger ``pollChangesTrigger``: messages that are new, and messages whose fate has changed.

Twilio's list has no cursor for changes. What a poll must survive: a list that lags, pages that shift while they are
read, many messages in one second, more of them than one poll takes, deleted messages, clocks that jump. So a poll reads
the list from the newest message on, compares it with what it remembers of the last ones, and remembers only what it has
told. This machine's clock has no part in it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.results import Result
from twilio_component.twilio.actions.messages import parameters
from twilio_component.twilio.client import client_for
from twilio_component.twilio.pages import LARGEST_PAGE
from twilio_component.twilio.payloads import message
from twilio_component.twilio.triggers.poll_diff import Message, Reading, fate
from twilio_component.twilio.triggers.poll_state import MOST_REMEMBERED, Memory

if TYPE_CHECKING:
    from twilio_component.host.context import Context

PAGE = LARGEST_PAGE
_STATE = "pollChangesTrigger"


async def poll(context: Context, payload: Mapping[str, Any], inputs: Mapping[str, Any]) -> Result:
    """Tell what has changed since the last poll: ``{"created": […], "updated": […]}`` in ``body.data``, oldest first.

    The first poll tells nothing: it only notes where the list ends. ``updated`` are messages created within the
    look-back window whose status, error or price is not what it was when they were last told. At most ``limit`` of each
    are told; the rest comes with the next polls. ``polledNoChanges`` says that there is nothing. The memory goes into
    ``instanceState``.
    """
    memory = _remembered(context)
    if memory is None:
        return _result(payload, await _begin(context, inputs), [], [])
    reading = Reading(memory, inputs["limit"])
    async for one in _newest_first(context, inputs):
        if not reading.take(one):
            break
    reading.end()
    created = _remember(context, memory, reading, dt.timedelta(minutes=inputs["lookBackMinutes"]))
    return _result(
        payload,
        memory,
        created if inputs["showNewRecords"] else [],
        [*reversed(reading.changed)] if inputs["showUpdatedRecords"] else [],
    )


def _remember(context: Context, memory: Memory, reading: Reading, look_back: dt.timedelta) -> list[Message]:
    """Remember what is told of a reading; the new messages to be told, the oldest first."""
    for one in reading.changed:
        memory.seen[one["sid"]] = _known(one)
    untold = reading.untold - {one["sid"] for one in reading.changed}
    new = [*reversed(reading.new)]
    dates = [created for created, _ in memory.seen.values()] + [one["dateCreated"] for one in new]
    if dates:
        memory.move_on(max(dates), look_back, untold)
    forgotten = memory.make_room(len(new), untold)
    if forgotten:
        context.logger.warning(
            "pollChangesTrigger watches %s messages at most: %s younger than lookBackMinutes are no longer watched for "
            "changes; a shorter time, or a filter by from or to, avoids that",
            f"{MOST_REMEMBERED:,}",
            f"{forgotten:,}",
        )
    memory.take_in({one["sid"]: _known(one) for one in new}, dict.fromkeys(reversed(reading.listed)))
    return new


def _remembered(context: Context) -> Memory | None:
    state = context.instance_state.get(_STATE)
    if state is None:
        return None
    memory = Memory.read(state)
    if memory is None:
        context.logger.warning(
            "pollChangesTrigger cannot read what it remembers: a later version wrote it. It begins anew; what has "
            "changed since the last poll is not told"
        )
    return memory


async def _begin(context: Context, inputs: Mapping[str, Any]) -> Memory:
    """Note the end of the list: the newest message, and all that were created in the same second."""
    newest = ""
    seen = {}
    async for one in _newest_first(context, inputs):
        newest = newest or one["dateCreated"]
        if one["dateCreated"] < newest:
            break
        seen[one["sid"]] = _known(one)
    return Memory(newest, dict(reversed(seen.items())))


async def _newest_first(context: Context, inputs: Mapping[str, Any]) -> AsyncIterator[Message]:
    """The messages that pass the filters."""
    client = client_for(context, inputs["twilioConnection"])
    asked = [*parameters(inputs, {"to": "To", "from": "From"}), ("PageSize", str(PAGE))]
    async for page in client.pages(f"{client.account_path}/Messages.json", "messages", asked):
        for resource in page:
            yield message(resource)


def _known(one: Message) -> tuple[str, str]:
    return one["dateCreated"], fate(one)


def _result(payload: Mapping[str, Any], memory: Memory, created: list[Message], updated: list[Message]) -> Result:
    return Result(
        value={**payload, "body": {"data": {"created": created, "updated": updated}}},
        instance_state={_STATE: memory.written()},
        extra={"polledNoChanges": not created and not updated},
    )
