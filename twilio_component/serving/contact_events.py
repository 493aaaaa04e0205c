"""What verified requests say about people, stored in the transaction that stores the request's own effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, not_, select

from twilio_component.durable.sending.opt_outs import MESSAGE, RESPONSE, remove_opt_out, store_opt_out
from twilio_component.durable.store.new_runs import RunWork
from twilio_component.durable.store.schema import events, last_heard, replies
from twilio_component.durable.store.upsert import replace_row
from twilio_component.host.contacts import IN, OUT, ContactEvent
from twilio_component.host.model import Operation, resolve

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.store.database import Database
    from twilio_component.serving.opt_out_settings import OptOutSettings


class ContactEvents:
    """Reads contact events from payloads, and stores them."""

    def __init__(self, database: Database, settings: OptOutSettings) -> None:
        self._database = database
        self._settings = settings

    def read(self, trigger: Operation | None, payload: Mapping[str, Any] | None) -> ContactEvent | None:
        """Return what the payload of a verified request says about a person; None where the trigger cannot tell."""
        function = trigger.options.get("contactEvent") if trigger is not None else None
        if function is None or payload is None:
            return None
        event: ContactEvent | None = resolve(function)(payload, self._settings.words)
        return event

    def work_for(self, event: ContactEvent | None, run: str, mark: str, *, keeps_time: bool) -> RunWork | None:
        """Return the work that stores the event along with a new ``run``; None when there is nothing to store.

        With ``keeps_time`` it is stored when the person has written: the answer may be sent in quiet hours. ``mark`` is
        the id of the message: one that another run had before, at another endpoint, is of the past.
        """
        keeps_time = keeps_time and event is not None and event.has_written
        if event is None or (event.choice is None and not keeps_time):
            return None

        def work(connection: Connection) -> None:
            started = select(events.c.run).where(events.c.id == mark, not_(exists().where(replies.c.id == mark)))
            if connection.execute(started).scalar_one_or_none() in (None, run):
                self._store(connection, event, keeps_time=keeps_time)

        return RunWork(event.contact.person, work)

    def _store(self, connection: Connection, event: ContactEvent, *, keeps_time: bool) -> None:
        contact, now = event.contact, self._database.now(connection)
        if event.choice is not None:
            scopes = [*contact.senders]
            if self._settings.account_wide and contact.account:
                scopes.append(contact.account)
            if event.choice == OUT:
                source = MESSAGE if event.has_written else RESPONSE
                store_opt_out(connection, scopes, contact.person, source, now, service=contact.service)
            elif event.choice == IN:
                remove_opt_out(connection, scopes, contact.person)
        if keeps_time:
            for sender in sorted(contact.senders):
                row = {"sender": sender, "person": contact.person, "heard_at": now}
                replace_row(connection, last_heard, row, key=("sender", "person"))

    async def store_alone(self, event: ContactEvent) -> None:
        """Store the event in a transaction of its own; raises ``StoreUnavailableError``."""
        await self._database.run(lambda connection: self._store(connection, event, keeps_time=False))
