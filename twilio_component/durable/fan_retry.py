"""Loops of runs that are resumed, or run again: what has been carried out is not begun again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, String, case, cast, insert, literal, null, select, update

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.fan_store import PENDING, UNKNOWN, Place
from twilio_component.durable.schema import fans, intents, items

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


def begin_pieces_anew(connection: Connection, run: str) -> None:
    """Let the pieces of a run that is resumed be carried out again: those that were stopped are not whole."""
    connection.execute(update(fans).where(fans.c.run == run).values(generation=fans.c.generation + 1))


def loop_to_go_on_with(connection: Connection, run: str) -> int | None:
    """The loop (its ordinal) at which a failed or unknown run is to go on, if it is at a loop.

    That is one whose items could not be had, or one with rounds whose outcome is unknown. Raises ``RunStateError`` when
    the run did something after it that must not be done twice.
    """
    of_run = (items.c.run == run, items.c.state == UNKNOWN)
    ordinals = list(connection.execute(select(items.c.ordinal).where(*of_run).distinct()).scalars())
    failed = select(fans.c.ordinal).where(fans.c.run == run, fans.c.finished_at.is_(None))
    ordinals += connection.execute(failed).scalars()
    if not ordinals:
        return None
    loop: int = min(ordinals)
    done = connection.execute(select(intents.c.key).where(intents.c.run == run)).scalars()
    # Those of rounds have the item's id before the colon.
    mine = [key.rpartition(":") for key in done]
    if any(of == run and int(ordinal) > loop for of, _, ordinal in mine):
        raise RunStateError(
            f"the run '{run}' went on after a loop with unknown outcomes and did something that must not be done "
            "twice; it can only be resolved"
        )
    return loop


def copy_loop(connection: Connection, place: Place, again: str) -> None:
    """Give the run ``again`` the loop as it stands; rounds whose outcome was unknown are to be done now."""
    _copy(connection, fans, {"run": literal(again), "generation": literal(0), "finished_at": null()}, place)
    prefix = literal(f"{again}.{place.ordinal}-")
    changes: dict[str, ColumnElement[Any]] = {
        "id": prefix.concat(cast(items.c.number, String)),
        "run": literal(again),
        "state": case((items.c.state == UNKNOWN, PENDING), else_=items.c.state),
    }
    _copy(connection, items, changes, place)


def _copy(connection: Connection, table: Any, changes: dict[str, ColumnElement[Any]], place: Place) -> None:
    names = [column.name for column in table.c]
    chosen = select(*(changes.get(name, table.c[name]) for name in names))
    of_loop = chosen.where(table.c.run == place.run, table.c.ordinal == place.ordinal)
    connection.execute(insert(table).from_select(names, of_loop))
