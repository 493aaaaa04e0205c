"""Order in a conversation: messages to one person from one sender go out in the order in which their steps came.

A call takes a number of its conversation when it is first asked about. It may be claimed once no call with a lower
number is open. What fails, or ends as unknown, is not open any more; and nothing is waited for longer than an hour
after it could first be made.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, or_, select

from twilio_component.durable.sending.claim_condition import ClaimCondition
from twilio_component.durable.sending.conditions import NOTHING_AGAINST_IT, HoldUntil, Proceed
from twilio_component.durable.sending.intents import OPEN, SETTLED
from twilio_component.durable.store.conversations import lock_conversation
from twilio_component.durable.store.replies import digest_of
from twilio_component.durable.store.run_status import RUNNING
from twilio_component.durable.store.schema import intents, runs, turns
from twilio_component.durable.store.upsert import insert_once
from twilio_component.durable.store.waits import ORDER, wake_next_in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.durable.sending.conditions import Verdict
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intents import CallIdentity
    from twilio_component.durable.store.database import Database
    from twilio_component.durable.store.waits import Enqueue
    from twilio_component.flows.send_order import SendOrder

LONGEST_BLOCK = 3600.0
"""Seconds after which an open call does not hold up the ones after it any more."""
_RECHECK_SECONDS = 1.0
_RECHECK_ROW_SECONDS = 600.0
_BEFORE, _ITS = turns.alias(), intents.alias()  # built once: it costs more than the question
_IN_ORDER = "an earlier message of the conversation has not been sent yet"
_DELIVERED = "the message before in the conversation has not been delivered yet"


class ConversationOrder:
    """The condition that ordered calls are made in order. ``orders`` has the senders whose messages always are.

    ``enqueue`` has a run executed again that waits as a row.
    """

    def __init__(self, database: Database, orders: Mapping[str, SendOrder], enqueue: Enqueue) -> None:
        self._database = database
        self._orders = orders
        self._enqueue = enqueue
        self._wakes: dict[str, asyncio.Event] = {}

    async def judge(self, call: CallIdentity, guarded: GuardedCall) -> Verdict:
        """Hold a call while one before it in its conversation is open."""
        order = self._order_of(guarded)
        conversation = None if order is None else _conversation_of(guarded)
        if order is None or conversation is None:
            return NOTHING_AGAINST_IT
        blocked = _Turn(call.key, conversation, order)

        def work(connection: Connection) -> float | None:
            now = self._database.now(connection)
            _take_turn(connection, call, conversation, now)
            return blocked.blocked_until(connection, now)

        until = await self._database.run_until_available(work)
        if until is None:
            return Proceed(claim_conditions=(blocked,))
        wake = self._wakes.setdefault(conversation, asyncio.Event())
        # Calls of other processes set no event here.
        asyncio.get_running_loop().call_later(_RECHECK_SECONDS, wake.set)
        reason = _DELIVERED if order.after_delivery else _IN_ORDER
        return HoldUntil(kind=ORDER, reason=reason, until=until, wake=wake, recheck=blocked.recheck)

    async def end(self, _call: CallIdentity, guarded: GuardedCall) -> None:
        """Let the next call of the conversation know that this one has ended."""
        conversation = None if self._order_of(guarded) is None else _conversation_of(guarded)
        if conversation is None:
            return
        wake = self._wakes.pop(conversation, None)
        if wake is not None:
            wake.set()
        await self._database.run_until_available(
            lambda connection: wake_next_in_order(connection, conversation, self._enqueue)
        )

    def _order_of(self, guarded: GuardedCall) -> SendOrder | None:
        return guarded.order or self._orders.get(guarded.sender)


class _Turn(ClaimCondition):
    """The claim condition: no call before this one in its conversation is open."""

    def __init__(self, key: str, conversation: str, order: SendOrder) -> None:
        self._key = key
        self._conversation = conversation
        self._order = order

    def holds(self, connection: Connection, now: float) -> bool:
        return not connection.execute(select(exists(self._blocking(now)))).scalar_one()

    def blocked_until(self, connection: Connection, now: float) -> float | None:
        """Until when such calls hold up this one at the latest; None when there is none."""
        until: float | None = connection.execute(select(func.max(self._blocking(now).subquery().c.until))).scalar_one()
        return until

    def recheck(self, connection: Connection, now: float) -> float | None:
        """Until when this call's run waits as a row at the latest, unless another call's end wakes it.

        The end of a process may have kept the other one from waking it, so it is not relied on for ever.
        """
        lock_conversation(connection, self._conversation)
        until = self.blocked_until(connection, now)
        return None if until is None else min(until, now + _RECHECK_ROW_SECONDS)

    def _blocking(self, now: float) -> Select[Any]:
        before, its = _BEFORE, _ITS
        mine = select(turns.c.number).where(turns.c.key == self._key).scalar_subquery()
        running = exists().where(runs.c.id == its.c.run, runs.c.state == RUNNING)
        # One that is held itself, for quiet hours for example, is waited for.
        since = case((its.c.held_until > its.c.created_at, its.c.held_until), else_=its.c.created_at)
        open_ = its.c.state.in_(OPEN) & running & (since > now - LONGEST_BLOCK)
        until: ColumnElement[float] = since + LONGEST_BLOCK
        conditions: list[ColumnElement[bool]] = [open_]
        if self._order.after_delivery:
            delivery = its.c.claimed_at + self._order.seconds
            undelivered = before.c.delivered_at.is_(None) & its.c.resource_id.is_not(None)
            conditions.append(and_(its.c.state == SETTLED, undelivered, delivery > now))
            until = case((its.c.state == SETTLED, delivery), else_=until)
        of_others = (before.c.conversation == self._conversation, before.c.number < mine, its.c.key == before.c.key)
        return select(until.label("until")).where(*of_others, or_(*conditions))


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
