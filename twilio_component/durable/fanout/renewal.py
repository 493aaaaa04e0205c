"""Loops whose chunks are executed once more: those of a run that is resumed, and those that wait for held items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, update

from twilio_component.durable.store.schema import loops

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


def renew_loops(connection: Connection, now: float, *which: ColumnElement[bool]) -> None:
    """Let the chunks of these loops be executed again; refusals in a row are counted from ``now`` on."""
    connection.execute(update(loops).where(*which).values(generation=loops.c.generation + 1, renewed_at=now))
