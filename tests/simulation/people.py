"""The people of the simulation: they reply to questions, wrongly at times, or never, and some say STOP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from simulation.calls import SENDER
from simulation.database import SimulatedDatabase
from simulation.flows import ACCOUNT, AGAIN, QUESTION, TO

from twilio_component.durable.asking.questions import QuestionStore
from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.store.runs import RunStore
from twilio_component.host.questions import Reply
from twilio_component.twilio.questions import conversation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulation.operated import OperatedWorld
    from simulation.twilio import Message
    from simulation.workflows import SimulatedQueue

_TWICE = 0.3
_REPLIES = ("yes", "yes", "what?", "what?", "STOP", "")


class People:
    """Hear of each message that Twilio accepts, and reply to those that ask; some write of their own accord.

    What they write is delivered as Twilio's webhook: twice at the same moment sometimes, and again after a 503.
    """

    def __init__(self, world: OperatedWorld, queue: SimulatedQueue) -> None:
        self._world = world
        self._queue = queue
        self._database = SimulatedDatabase(world.server)
        self._questions = QuestionStore(self._database, _judge, queue.put_again)
        self._runs = RunStore(self._database, queue.put, take_replies=self._questions.take_all, wake=queue.put_again)
        self._count = 0

    def read(self, message: Message) -> None:
        """Reply to the message in a while, if it asks and its reader likes to."""
        random = self._world.random
        if message.text.rpartition(" ")[2] not in (QUESTION, AGAIN):
            return
        body = random.choice(_REPLIES)
        if body:
            self.write(body, random.choice((0.1, 2.0, 18.0, 40.0)))

    def write(self, body: str, seconds: float) -> None:
        """Write a message within so many seconds."""
        self._count += 1
        self._world.loop.create_task(self._write(f"RM{self._count}", body, seconds * self._world.random.random()))

    async def _write(self, sid: str, body: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        # Once its run has been purged, a message that is delivered again would start another.
        times = 2 if not self._world.purging and self._world.random.random() < _TWICE else 1
        await asyncio.gather(*(self._deliver(sid, body) for _ in range(times)))

    async def _deliver(self, sid: str, body: str) -> None:
        said = conversation(ACCOUNT, SENDER, TO["one"])
        reply = Reply(id=sid, conversations=[said], data={"body": body}, opts_out=body == "STOP")
        new = self._world.run_of_message(sid, reply)
        while True:  # the webhook is refused while the database is away, and is sent again
            try:
                await self._runs.accept(new, lambda connection: self._queue.put(connection, [new.id]))
            except StoreUnavailableError:
                await asyncio.sleep(1.0)
                continue
            self._world.note(f"{sid}, {body}, is {self._world.note_message(new, reply)}")
            return


def _judge(_operation: str, _expects: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {"answer": True} if data["body"] == "yes" else None
