"""The definitions of the simulation: one takes the place of another while runs are under way, which keep theirs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from simulation.database import SimulatedDatabase
from simulation.flows import CHANGED, CHANGED_TEXT, FILE, FIRST, FLOWS, LATER, LONGER_TEXT, TEXT

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.store.definition_digest import definition_digest
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import definitions
from twilio_component.durable.store.upsert import insert_once
from twilio_component.flows.model import find_flow

if TYPE_CHECKING:
    from random import Random

    from simulation.operated import OperatedWorld
    from simulation.twilio import Message
    from sqlalchemy import Connection

_NAME = "Simulated"
_MOST_BEGUN = 2


class Releases:
    """The definitions of a world, and which of them is served: processes of two releases say so in turn."""

    def __init__(self, world: OperatedWorld, random: Random) -> None:
        self._world = world
        self._random = random
        self._texts = {definition_digest(FILE, text): text for text in (TEXT, CHANGED_TEXT, LONGER_TEXT)}
        self._first, self._changed, self.longer = self._texts
        self._next = random.choice((self._changed, self.longer))
        self._served = self._first
        self._begun = 0

    def store(self) -> None:
        """Store the definitions, the first of which is served."""

        def store(connection: Connection) -> None:
            for digest, text in self._texts.items():
                insert_once(connection, definitions, {"digest": digest, "file": FILE, "text": text})

        self._world.server.transaction(store)
        self._world.loop.create_task(self._serve(self._first))

    def deploy(self) -> None:
        """Serve the other definition from now on, and begin a run of it perhaps."""
        self._served = self._next if self._served == self._first else self._first
        self._world.note(f"served: {'the first definition' if self._served == self._first else 'the next one'}")
        self._world.loop.create_task(self._serve(self._served))
        if self._begun < _MOST_BEGUN and self._random.random() < 0.5:
            self._begun += 1
            run = f"n{self._begun}"
            self._world.begin_runs({run: self._random.choice([*FLOWS])}, {run: self._random.choice((run, "x"))})

    async def _serve(self, digest: str) -> None:
        with suppress(StoreUnavailableError):
            await RunStore(SimulatedDatabase(self._world.server)).note_served(_NAME, digest, "")

    def new_run(self, run: str, flow: str, data: str) -> NewRun:
        """Return a run of the definition that is served."""
        deployment = self._world.deployment
        definition = deployment.load(FILE, self._texts[self._served])
        given = {"body": {"data": data, "contentType": "application/json"}}
        found = find_flow(definition.integration, flow)
        payload = deployment.payload(given, definition, found, run, "2026-01-01T00:00:00.000Z")
        return NewRun(id=run, definition=self._served, integration=_NAME, flow=flow, payload=payload)

    def check(self, message: Message, definition: str) -> None:
        """Hold what must hold of a message whose run has this definition: it says so."""
        last = message.text.rpartition(" ")[2]
        theirs = {CHANGED: {self._changed}, LATER: {self.longer}, FIRST: {self._first, self.longer}}.get(last)
        assert theirs is None or definition in theirs, f"{message.call} has sent {message.text!r} of another definition"
