"""Order in a conversation: messages to one person from one sender go out in the order in which their steps came.

A call takes a number of its conversation when it is first asked about. It may be claimed once no call with a lower
number is open. What fails, or ends as unknown, is not open any more; and nothing is waited for longer than an hour.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, Exists, exists, func, not_, or_, select

from twilio_component.durable.sending.conditions import ORDER, HoldUntil, Proceed
from twilio_component.durable.sending.intents import OPEN, SETTLED
from twilio_component.durable.store.conversations import lock_conversation
from twilio_component.durable.store.replies import digest_of
from twilio_component.durable.store.run_status import RUNNING
from twilio_component.durable.store.schema import intents, runs, turns
from twilio_component.durable.store.upsert import insert_once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.durable.sending.conditions import Verdict
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intents import CallIdentity
    from twilio_component.durable.store.database import Database
    from twilio_component.flows.send_order import SendOrder

LONGEST_BLOCK = 3600.0
"""Seconds after which an open call does not hold up the ones after it any more."""
_RECHECK_SECONDS = 1.0
_IN_ORDER = "an earlier message of the conversation has not been sent yet"
_DELIVERED = "the message before in the conversation has not been delivered yet"


class ConversationOrder:
    """The condition that ordered calls are made in order. ``orders`` has the senders whose messages always are."""

    def __init__(self, database: Database, orders: Mapping[str, SendOrder]) -> None:
        self._database = database
        self._orders = orders
        self._wakes: dict[str, asyncio.Event] = {}

    async def judge(self, call: CallIdentity, guarded: GuardedCall) -> Verdict:
        """Hold a call while one before it in its conversation is open."""
        order, conversation = self._order_of(guarded), _conversation_of(guarded)
        if order is None or conversation is None:
            return Proceed()
        blocked = _Turn(call.key, conversation, order)

        def work(connection: Connection) -> bool:
            now = self._database.now(connection)
            _take_turn(connection, call, conversation, now)
            return bool(connection.execute(select(blocked.is_blocked(now))).scalar_one())

        if not await self._database.run_until_available(work):
            return Proceed(claim_conditions=(blocked,))
        wake = self._wakes.setdefault(conversation, asyncio.Event())
        # Calls of other processes set no event here.
        asyncio.get_running_loop().call_later(_RECHECK_SECONDS, wake.set)
        return HoldUntil(kind=ORDER, reason=_DELIVERED if order.after_delivery else _IN_ORDER, wake=wake)

    async def end(self, _call: CallIdentity, guarded: GuardedCall) -> None:
        """Let the next call of the conversation know that this one has ended."""
        conversation = _conversation_of(guarded)
        wake = self._wakes.pop(conversation, None) if conversation is not None else None
        if wake is not None:
            wake.set()

    def _order_of(self, guarded: GuardedCall) -> SendOrder | None:
        return guarded.order or self._orders.get(guarded.sender)


class _Turn:
    """The claim condition: no call before this one in its conversation is open."""

    def __init__(self, key: str, conversation: str, order: SendOrder) -> None:
        self._key = key
        self._conversation = conversation
        self._order = order

    def clause(self, _connection: Connection, now: float) -> ColumnElement[bool]:
        return not_(self.is_blocked(now))

    def record(self, _connection: Connection, _now: float) -> None:
        """The turn stays as it is; the intent says how far its call has come."""

    def is_blocked(self, now: float) -> Exists:
        before, its = turns.alias(), intents.alias()
        mine = select(turns.c.number).where(turns.c.key == self._key).scalar_subquery()
        running = exists().where(runs.c.id == its.c.run, runs.c.state == RUNNING)
        open_ = its.c.state.in_(OPEN) & running & (its.c.created_at > now - LONGEST_BLOCK)
        conditions = [open_]
        if self._order.after_delivery:
            undelivered = before.c.delivered_at.is_(None) & its.c.resource_id.is_not(None)
            recent = its.c.claimed_at > now - self._order.seconds
            conditions.append((its.c.state == SETTLED) & undelivered & recent)
        return exists().where(
            before.c.conversation == self._conversation,
            before.c.number < mine,
            its.c.key == before.c.key,
            or_(*conditions),
        )


def _take_turn(connection: Connection, call: CallIdentity, conversation: str, now: float) -> None:
    """Give the call the next number of its conversation, unless it has one."""
    has_one = select(exists().where(turns.c.key == call.key))
    if connection.execute(has_one).scalar_one():
        return
    lock_conversation(connection, conversation)
    highest = select(func.max(turns.c.number)).where(turns.c.conversation == conversation)
    number = (connection.execute(highest).scalar_one() or 0) + 1
    row = {"key": call.key, "run": call.run, "conversation": conversation, "number": number, "taken_at": now}
    insert_once(connection, turns, row)


def _conversation_of(guarded: GuardedCall) -> str | None:
    """The conversation of a call: its sender and the person; None for a call that reaches nobody."""
    contact = guarded.contact
    if contact is None or not contact.senders:
        return None
    return digest_of(f"order {contact.senders[-1]} {contact.person}")
